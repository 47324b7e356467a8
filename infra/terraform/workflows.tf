# State machines. One there is: settlement's, which runs where the service does. Its definition is a file of
# its own, in which the functions' aliases are filled in, so that tests and the simulator read the same text.

locals {
  steps = { for name, operation in local.operations : operation.name => name if operation.step && operation.service == "settlement" }

  workflows_base  = "arn:aws:states:${local.place}:stateMachine:${var.name}-"
  has_settlement  = contains(keys(local.services), "settlement")
  settlement      = "${var.name}-settlement"
  settlement_arn  = "arn:aws:states:${local.place}:stateMachine:${local.settlement}"
  settlement_runs = "arn:aws:states:${local.place}:execution:${local.settlement}"
}

resource "aws_sfn_state_machine" "settlement" {
  #checkov:skip=CKV_AWS_285:it asks for inputs and outputs in the log, which are left out on purpose, see below

  count = local.has_settlement ? 1 : 0

  name     = local.settlement
  type     = "STANDARD"
  role_arn = aws_iam_role.settlement[0].arn

  definition = templatefile("${path.module}/settlement.asl.json", {
    for step, name in local.steps : step => module.function[name].function.alias_arn
  })

  # Without inputs and outputs: they are ids today, and could be more one day.
  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.settlement[0].arn}:*"
    level                  = "ERROR"
    include_execution_data = false
  }

  tracing_configuration {
    enabled = var.tracing == "Active"
  }

  depends_on = [aws_iam_role_policy.settlement]
}

# AWS asks for this prefix, or its resource policy for log deliveries outgrows its limit.
resource "aws_cloudwatch_log_group" "settlement" {
  count = local.has_settlement ? 1 : 0

  name              = "/aws/vendedlogs/states/${local.settlement}"
  retention_in_days = var.log_retention_days
}

resource "aws_iam_role" "settlement" {
  count = local.has_settlement ? 1 : 0

  name                 = "${local.settlement}-machine"
  permissions_boundary = local.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "states.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "settlement" {
  count = local.has_settlement ? 1 : 0

  name = "machine"
  role = aws_iam_role.settlement[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Effect   = "Allow"
          Action   = ["lambda:InvokeFunction"]
          Resource = [for step, name in local.steps : "arn:aws:lambda:${local.place}:function:${local.full_names[name]}:live"]
        },
        # A distributed map starts its children as executions of its own machine, and ends them with itself.
        {
          Effect   = "Allow"
          Action   = ["states:StartExecution"]
          Resource = [local.settlement_arn]
        },
        {
          Effect   = "Allow"
          Action   = ["states:DescribeExecution", "states:StopExecution"]
          Resource = ["${local.settlement_runs}:*", "${local.settlement_runs}/*"]
        },
        {
          Effect = "Allow"
          Action = [
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
          ]
          Resource = ["*"] # these actions know no resource
        },
      ],
      var.tracing != "Active" ? [] : [{
        Effect = "Allow"
        Action = [
          "xray:GetSamplingRules",
          "xray:GetSamplingTargets",
          "xray:PutTelemetryRecords",
          "xray:PutTraceSegments",
        ]
        Resource = ["*"] # these actions know no resource
      }],
    )
  })
}

# One alarm for the three ways in which a run can end badly. sweepSettlements starts it again within the hour.
resource "aws_cloudwatch_metric_alarm" "settlement" {
  count = var.alarms && local.has_settlement ? 1 : 0

  alarm_name          = "${local.settlement}-runs"
  alarm_description   = "A run of the settlement did not come to its end: its history shows where, sweepSettlements starts it again: docs/runbook.md#a-settlement-run-does-not-finish."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  metric_query {
    id          = "total"
    expression  = "SUM(METRICS())"
    label       = "runs that ended badly"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"]

    content {
      id = "way${metric_query.key}"

      metric {
        namespace   = "AWS/States"
        metric_name = metric_query.value
        dimensions  = { StateMachineArn = local.settlement_arn }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}
