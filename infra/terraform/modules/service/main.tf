# What all operations of one service share: its table (whose stream is the outbox), its artifact, and the queue
# of what they gave up.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" { type = string }
variable "artifact" { type = string }
variable "bucket" { type = string }
variable "deletion_protection" { type = bool }
variable "dead_letters" { type = bool }

variable "table" {
  description = "The table's name: the service's own, unless a restored table has taken its place."
  type        = string
}

variable "pin" {
  description = "The artifact to keep, if it is not to be what lies in the folder: its key and hash, as the output says them."
  type        = object({ key = string, hash = string })
  default     = null
}

variable "indexes" {
  type = list(object({ name = string, partition = string, sort = string, projection = string }))
}

locals {
  key             = var.pin == null ? "${var.name}/${filesha256(var.artifact)}.zip" : var.pin.key
  hash            = var.pin == null ? filebase64sha256(var.artifact) : var.pin.hash
  index_keys      = flatten([for index in var.indexes : [index.partition, index.sort]])
  attribute_names = toset(concat(["pk", "sk"], local.index_keys))
}

resource "aws_dynamodb_table" "table" {
  name                        = var.table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = local.attribute_names

    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.indexes

    content {
      name            = global_secondary_index.value.name
      hash_key        = global_secondary_index.value.partition
      range_key       = global_secondary_index.value.sort
      projection_type = global_secondary_index.value.projection
    }
  }

  ttl {
    attribute_name = "expiresAt"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# One for the whole service: CloudWatch bills the alarm by the queue. A message says which queue it came from
# (DeadLetterQueueSourceArn), a pointer and a schedule's run name their function.
resource "aws_sqs_queue" "dead" {
  count = var.dead_letters ? 1 : 0

  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600 # the longest that SQS offers: 14 days
  sqs_managed_sse_enabled   = true
}

# The key carries the content's hash: an unchanged service is not touched by a deployment.
resource "aws_s3_object" "artifact" {
  bucket = var.bucket
  key    = local.key
  source = var.artifact

  lifecycle {
    create_before_destroy = true
  }
}

output "table" {
  value = {
    name   = aws_dynamodb_table.table.name
    arn    = aws_dynamodb_table.table.arn
    stream = aws_dynamodb_table.table.stream_arn
  }
}

output "dead_letters" {
  description = "ARN of the queue of dead letters; null where nothing can be given up."
  value       = one(aws_sqs_queue.dead[*].arn)
}

output "artifact" {
  value = {
    bucket = aws_s3_object.artifact.bucket
    key    = aws_s3_object.artifact.key
    hash   = local.hash
  }
}
