# The role grants what the operation lists in operations.json, and nothing else: it is IAM, not the
# shared binary, that keeps operations apart.

locals {
  table_actions = {
    read  = ["dynamodb:GetItem", "dynamodb:Query"]
    write = ["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"]
    scan  = ["dynamodb:Scan"]
  }
  granted_table_actions = flatten([for grant in var.operation.table : local.table_actions[grant]])

  statements = concat(
    [{
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = ["${aws_cloudwatch_log_group.log.arn}:*"]
    }],
    length(local.granted_table_actions) == 0 ? [] : [{
      actions   = local.granted_table_actions
      resources = [var.table.arn, "${var.table.arn}/index/*"]
    }],
    length(var.secrets.read) == 0 ? [] : [{
      actions   = ["secretsmanager:GetSecretValue"]
      resources = var.secrets.read
    }],
    length(var.secrets.write) == 0 ? [] : [{
      actions = [
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ]
      resources = var.secrets.write
    }],
    !var.operation.publishes ? [] : [{
      actions   = ["events:PutEvents"]
      resources = [var.bus.arn]
    }],
    length(var.callable) == 0 ? [] : [{
      actions   = ["lambda:InvokeFunction"]
      resources = var.callable
    }],
    length(var.enqueable) == 0 ? [] : [{
      actions   = ["sqs:SendMessage"]
      resources = var.enqueable
    }],
    length(var.workflows) == 0 ? [] : [
      {
        actions   = ["states:StartExecution"]
        resources = [for name in var.workflows : "arn:aws:states:${var.place}:stateMachine:${name}"]
      },
      {
        actions   = ["states:DescribeExecution"]
        resources = [for name in var.workflows : "arn:aws:states:${var.place}:execution:${name}:*"]
      },
    ],
    !var.operation.queue ? [] : [{
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      resources = [var.queue_arn]
    }],
    !var.operation.stream ? [] : [
      {
        actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        resources = [var.table.stream]
      },
      {
        actions   = ["dynamodb:ListStreams"]
        resources = ["*"] # this action knows no resource
      },
    ],
    # Lambda leaves there what it gives up, in the function's name: a relay's records, a scheduled run.
    !var.operation.stream && var.operation.schedule == null ? [] : [{
      actions   = ["sqs:SendMessage"]
      resources = [var.dead_letters_arn]
    }],
    var.tracing != "Active" ? [] : [{
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"] # these actions know no resource
    }],
  )
}

resource "aws_iam_role" "function" {
  name                 = var.name
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "operation"
  role = aws_iam_role.function.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in local.statements : {
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      }
    ]
  })
}
