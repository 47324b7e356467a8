# How a new version becomes live: CodeDeploy moves a tenth of a function's calls to it, waits, looks at the alarms, and
# moves the rest, or everything back. An application per service; a group per function, because a group takes one
# deployment at a time and an AppSpec names one function. infra/local/system/aliases.py starts them, all of a service at once.

locals {
  canaries = var.canary == "" ? {} : local.operations
}

resource "aws_codedeploy_app" "service" {
  for_each = var.canary == "" ? {} : local.services

  name             = "${var.name}-${each.key}"
  compute_platform = "Lambda"
}

resource "aws_codedeploy_deployment_group" "function" {
  for_each = local.canaries

  app_name               = aws_codedeploy_app.service[each.value.service].name
  deployment_group_name  = local.full_names[each.key]
  deployment_config_name = var.canary
  service_role_arn       = aws_iam_role.canary[0].arn

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }

  # The period of these alarms is five minutes, so a canary has to last longer than that.
  alarm_configuration {
    enabled = var.alarms
    alarms  = var.alarms ? [aws_cloudwatch_metric_alarm.errors[each.value.service].alarm_name, aws_cloudwatch_metric_alarm.gateway_errors[0].alarm_name] : []
  }
}

resource "aws_iam_role" "canary" {
  count = var.canary == "" ? 0 : 1

  name                 = "${var.name}-canary"
  permissions_boundary = local.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

# Less than AWS's own policy for it gives: no hooks, no topics, no buckets.
resource "aws_iam_role_policy" "canary" {
  count = var.canary == "" ? 0 : 1

  name = "canary"
  role = aws_iam_role.canary[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
        Resource = ["arn:aws:lambda:${local.place}:function:${var.name}-*"]
      },
      {
        Effect   = "Allow"
        Action   = ["cloudwatch:DescribeAlarms"]
        Resource = ["arn:aws:cloudwatch:${local.place}:alarm:${var.name}-*"]
      },
    ]
  })
}
