# How work reaches the operation other than by HTTP or a direct call. Whatever is given up ends in the
# service's dead-letter queue: a message from its queue, a pointer to stream records, a schedule's run that
# Scheduler could not hand over, or one that failed.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "name" { type = string }
variable "operation" { type = any }

variable "function" {
  type = object({ name = string, alias = string, alias_arn = string })
}

variable "stream_arn" { type = string }
variable "queue_arn" { type = string }
variable "dead_letters_arn" { type = string }
variable "rule_arn" { type = string }
variable "bus" { type = string }
variable "permissions_boundary" { type = string }

variable "about" {
  description = "What the references of the facts begin with that concern this operation. None: all facts do."
  type        = string
  default     = null
}

locals {
  has_queue    = var.operation.queue
  has_schedule = var.operation.schedule != null
  has_stream   = var.operation.stream
}

resource "aws_sqs_queue" "queue" {
  count = local.has_queue ? 1 : 0

  name                       = var.name
  visibility_timeout_seconds = 6 * var.operation.timeout_s # what AWS asks of a queue that feeds a function
  message_retention_seconds  = 345600
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = var.dead_letters_arn
    maxReceiveCount     = 5
  })

  # Written into the queue, and with the rule's ARN by name: the provider waits 25 seconds for every
  # queue and every separate policy.
  policy = length(var.operation.subscribes) == 0 ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.queue_arn
      Condition = { ArnEquals = { "aws:SourceArn" = var.rule_arn } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "queue" {
  count = local.has_queue ? 1 : 0

  event_source_arn        = aws_sqs_queue.queue[0].arn
  function_name           = var.function.alias_arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
}

# Facts: one rule for all of the operation's subscriptions. A rule gives its target one chance, the
# queue gives it five.
resource "aws_cloudwatch_event_rule" "facts" {
  count = length(var.operation.subscribes) > 0 ? 1 : 0

  name           = var.name
  description    = "Facts that ${var.operation.name} of ${var.operation.service} listens to."
  event_bus_name = var.bus

  event_pattern = var.about == null ? jsonencode({ detail-type = var.operation.subscribes }) : jsonencode({
    detail-type = var.operation.subscribes
    detail      = { data = { reference = [{ prefix = var.about }] } }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  count = length(aws_cloudwatch_event_rule.facts)

  rule           = aws_cloudwatch_event_rule.facts[0].name
  event_bus_name = var.bus
  target_id      = "queue"
  arn            = aws_sqs_queue.queue[0].arn
}

# The outbox: the table's stream, read in order. A batch that keeps failing is split and, after an hour's
# worth of attempts, given up as a pointer, so that one poison record cannot stop the others.
resource "aws_lambda_event_source_mapping" "stream" {
  count = local.has_stream ? 1 : 0

  event_source_arn                   = var.stream_arn
  function_name                      = var.function.alias_arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 100
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = 100
  maximum_record_age_in_seconds      = 3600
  maximum_batching_window_in_seconds = 0

  destination_config {
    on_failure {
      destination_arn = var.dead_letters_arn
    }
  }
}

resource "aws_iam_role" "scheduler" {
  count = local.has_schedule ? 1 : 0

  name                 = "${var.name}-schedule"
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  count = local.has_schedule ? 1 : 0

  name = "schedule"
  role = aws_iam_role.scheduler[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "lambda:InvokeFunction", Resource = var.function.alias_arn },
      { Effect = "Allow", Action = "sqs:SendMessage", Resource = var.dead_letters_arn },
    ]
  })
}

resource "aws_scheduler_schedule" "schedule" {
  count = local.has_schedule ? 1 : 0

  name                         = var.name
  schedule_expression          = var.operation.schedule
  schedule_expression_timezone = "Asia/Seoul"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.function.alias_arn
    role_arn = aws_iam_role.scheduler[0].arn
    input    = "{}"

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = var.dead_letters_arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# Scheduler's part ends when Lambda has taken the run: it invokes asynchronously. Lambda tries a run that failed after
# one minute and after two more, and without this would then forget it.
resource "aws_lambda_function_event_invoke_config" "schedule" {
  count = local.has_schedule ? 1 : 0

  function_name                = var.function.name
  qualifier                    = var.function.alias
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = var.dead_letters_arn
    }
  }
}

# Secrets Manager waits for each step's answer, and begins a rotation that failed again by itself.
resource "aws_lambda_permission" "rotation" {
  count = var.operation.rotates != null ? 1 : 0

  statement_id   = "rotation"
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  function_name  = var.function.name
  qualifier      = var.function.alias
  source_account = split(":", var.queue_arn)[4]
}
