# CloudWatch bills an alarm by the metrics it reads, so alarms are made per service where one metric
# can speak for all of a service's functions: an idle month stays cheap.

locals {
  # Services that can give work up: to a dead-letter queue of their own, see modules/service.
  giving_up = toset([
    for operation in values(local.operations) : operation.service
    if operation.queue || operation.stream || operation.schedule != null
  ])
  relays = { for name, operation in local.operations : operation.service => name if operation.stream }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = var.alarms ? local.giving_up : []

  alarm_name          = "${var.name}-${each.key}-dead-letters"
  alarm_description   = "Work of ${each.key} was given up and waits: docs/runbook.md#a-dead-letter-came, then make redrive."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = "${var.name}-${each.key}-dead" }
  statistic           = "Maximum"
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = var.alarms ? local.services : {}

  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "Functions of ${each.key} failed: docs/runbook.md#functions-fail, make logs shows why."
  namespace           = var.name
  metric_name         = "${each.key}-errors"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "relay_age" {
  for_each = var.alarms ? local.relays : {}

  alarm_name          = "${var.name}-${each.key}-relay-age"
  alarm_description   = "Facts of ${each.key} wait longer than five minutes, and the stream keeps them for a day: docs/runbook.md#facts-are-late."
  namespace           = "AWS/Lambda"
  metric_name         = "IteratorAge"
  dimensions          = { FunctionName = local.full_names[each.value], Resource = "${local.full_names[each.value]}:live" }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 300000
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "gateway_errors" {
  count = var.alarms ? 1 : 0

  alarm_name          = "${var.name}-gateway-5xx"
  alarm_description   = "The API answered with 5xx: docs/runbook.md#functions-fail."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = module.pay_api.id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# --- what our own log counts: each is written only when there is something to tell, so it costs its alarm alone

resource "aws_cloudwatch_metric_alarm" "findings" {
  count = var.alarms ? 1 : 0

  alarm_name          = "${var.name}-audit-findings"
  alarm_description   = "The audit found a difference: the query `audit` shows which rule and where, docs/runbook.md#the-audit-found-a-difference what to do."
  namespace           = var.name
  metric_name         = "findings"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# The scan that counts them runs every quarter of an hour.
resource "aws_cloudwatch_metric_alarm" "unknowns" {
  count = var.alarms ? 1 : 0

  alarm_name          = "${var.name}-bank-unknowns"
  alarm_description   = "For an hour nobody could say how a transfer at the bank ends: the query `bank` shows what it answers, docs/runbook.md#a-recharge-or-a-pay-out-is-unknown what to do."
  namespace           = var.name
  metric_name         = "unknown_age"
  statistic           = "Maximum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# A line that the bank has certainly not paid out stays so until a person tries it again, and its owner waits.
resource "aws_cloudwatch_metric_alarm" "failed_pay_outs" {
  count = var.alarms ? 1 : 0

  alarm_name          = "${var.name}-pay-outs-failed"
  alarm_description   = "The bank has not moved what a franchise is owed, and nobody tries again by themselves: docs/runbook.md#a-pay-out-failed."
  namespace           = var.name
  metric_name         = "reached"
  dimensions          = { record = "line", state = "failed" }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# One metric of the whole account: the limit that functions meet is the account's too.
resource "aws_cloudwatch_metric_alarm" "throttles" {
  count = var.alarms ? 1 : 0

  alarm_name          = "${var.name}-throttles"
  alarm_description   = "Functions were not allowed to start: the account's limit of functions at once is reached: docs/runbook.md#throttling."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}
