# One operation: a function with a role, a log group and an alias of its own. Callers always name the
# alias `live`, so that a deployment is one switch and can be taken back.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

resource "aws_cloudwatch_log_group" "log" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "function" {
  #checkov:skip=CKV_AWS_116:Scheduler alone invokes asynchronously, and what fails then goes to the dead letters by modules/triggers, as for queues and streams

  function_name    = var.name
  description      = substr(var.operation.summary, 0, 256)
  role             = aws_iam_role.function.arn
  runtime          = "provided.al2023"
  architectures    = [var.architecture]
  handler          = var.operation.name
  s3_bucket        = var.artifact.bucket
  s3_key           = var.artifact.key
  source_code_hash = var.artifact.hash
  memory_size      = var.operation.memory_mb
  timeout          = var.operation.timeout_s
  publish          = true

  environment {
    variables = var.environment
  }

  tracing_config {
    mode = var.tracing
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.log.name
  }

  depends_on = [aws_iam_role_policy.function]
}

# Lambda takes an operation that goes on by messages to its own queue for a loop, and stops it after some sixteen runs: the
# next message goes to the dead letters. These chains end by themselves, see
# docs/decisions/0025-chains-of-messages-end-by-themselves.md. Any other loop is still stopped.
resource "aws_lambda_function_recursion_config" "chain" {
  count = contains(var.operation.enqueues, "${var.operation.service}.${var.operation.name}") ? 1 : 0

  function_name  = aws_lambda_function.function.function_name
  recursive_loop = "Allow"
}

# Terraform makes the alias and then leaves it alone: it publishes versions, and which of them is live is decided by the
# deployment (infra/local/system/aliases.py), through CodeDeploy where there is a canary. An apply that moved the alias would end
# a canary at once, and undo a roll-back.
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.function.function_name
  function_version = aws_lambda_function.function.version

  lifecycle {
    ignore_changes = [function_version, routing_config, description]
  }
}

# Errors are counted from the log into one metric per service: Lambda's own metric has a dimension per function, and
# would cost an alarm metric each. What our own lines quote must not count, so each kind of line has a filter of its
# own: of ours it is the level that says so, and the platform's begin with a letter or a digit, where ours have a brace.
resource "aws_cloudwatch_log_metric_filter" "errors" {
  for_each = var.counts_errors ? {
    errors  = "{ $.level = \"ERROR\" }"
    crashes = "%^[A-Z0-9].*Task\\stimed\\sout|^[A-Z0-9].*Runtime\\sexited|^[A-Z0-9].*Runtime\\.%"
  } : {}

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.log.name
  pattern        = each.value

  metric_transformation {
    namespace = var.bus.name
    name      = "${var.operation.service}-errors"
    value     = "1"
  }
}

output "version" {
  description = "The version published last. It is live only when a deployment has made it so."
  value       = aws_lambda_function.function.version
}

output "function" {
  value = {
    name       = aws_lambda_function.function.function_name
    alias      = aws_lambda_alias.live.name
    alias_arn  = aws_lambda_alias.live.arn
    invoke_arn = aws_lambda_alias.live.invoke_arn
  }
}
