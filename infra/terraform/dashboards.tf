# Dashboards. CloudWatch gives three away, of fifty metrics each; every other one is 3 dollars a month. So
# there are two, one of the business and one of the machinery with a section for each service, and one
# more for each service, with every operation in it, only where var.dashboards says "services".
# AWS's own metrics are free; ours cost 0.30 dollars a month a series, while they are written.

locals {
  own = var.name # the namespace of our metrics

  # A widget without its place.
  graph = { region = var.region, view = "timeSeries", period = 300 }

  business_widgets = concat(
    [
      merge(local.graph, {
        title   = "Won moved by facts"
        stat    = "Sum"
        stacked = false
        metrics = [for fact in local.counted_facts : [local.own, "won", "fact", fact]]
      }),
      merge(local.graph, {
        title   = "How many of them"
        stat    = "SampleCount"
        metrics = [for fact in local.counted_facts : [local.own, "won", "fact", fact]]
      }),
      merge(local.graph, {
        title   = "Fees that Pay kept, in won"
        stat    = "Sum"
        period  = 86400
        metrics = [[local.own, "fees", "fact", "settlement.paidOut.v1"]]
      }),
      merge(local.graph, {
        title   = "Settlement runs"
        stat    = "Sum"
        period  = 86400
        metrics = [for way in ["Started", "Succeeded", "Failed", "TimedOut"] : ["AWS/States", "Executions${way}", "StateMachineArn", local.settlement_arn]]
      }),
      merge(local.graph, {
        title   = "Bank: firmbankings without a certain end, and the age of the oldest"
        metrics = [[local.own, "unknowns", { stat = "Sum", period = 900 }], [local.own, "unknown_age", { stat = "Maximum", yAxis = "right" }]]
      }),
      merge(local.graph, {
        title   = "Audit: differences found, and won gone to suspense"
        stat    = "Sum"
        metrics = [[local.own, "findings"], [local.own, "suspended", { yAxis = "right" }]]
      }),
    ],
    [for record in ["payment", "remittance", "moneyRequest", "firmbanking", "line"] : merge(local.graph, {
      title   = "States that records came to: ${record}"
      metrics = [[{ expression = "SEARCH('{${local.own},record,state} MetricName=\"reached\" record=\"${record}\"', 'Sum', 300)", id = "states" }]]
    })],
    [merge(local.graph, {
      title   = "Refusals by code"
      metrics = [[{ expression = "SEARCH('{${local.own},service,code} MetricName=\"refusals\"', 'Sum', 300)", id = "refusals" }]]
    })],
  )

  counted_facts = [
    "payment.approved.v1", "payment.canceled.v1", "money.increased.v1", "money.decreased.v1",
    "remittance.completed.v1", "settlement.paidOut.v1",
  ]

  machinery_widgets = concat(
    [
      merge(local.graph, {
        title = "Gateway: requests, refusals, failures, and how long they take"
        metrics = [
          ["AWS/ApiGateway", "Count", "ApiId", module.pay_api.id, { stat = "Sum" }],
          ["AWS/ApiGateway", "4xx", "ApiId", module.pay_api.id, { stat = "Sum" }],
          ["AWS/ApiGateway", "5xx", "ApiId", module.pay_api.id, { stat = "Sum" }],
          ["AWS/ApiGateway", "Latency", "ApiId", module.pay_api.id, { stat = "p95", yAxis = "right" }],
        ]
      }),
      merge(local.graph, {
        title = "All functions of the account: calls, throttles, at once"
        metrics = [
          ["AWS/Lambda", "Invocations", { stat = "Sum" }],
          ["AWS/Lambda", "Throttles", { stat = "Sum" }],
          ["AWS/Lambda", "ConcurrentExecutions", { stat = "Maximum", yAxis = "right" }],
        ]
      }),
      merge(local.graph, {
        title   = "The ten slowest functions"
        metrics = [[{ expression = "SELECT MAX(Duration) FROM SCHEMA(\"AWS/Lambda\", FunctionName) GROUP BY FunctionName ORDER BY MAX() DESC LIMIT 10", id = "slow" }]]
      }),
      merge(local.graph, {
        title   = "The ten functions with most errors"
        metrics = [[{ expression = "SELECT SUM(Errors) FROM SCHEMA(\"AWS/Lambda\", FunctionName) GROUP BY FunctionName ORDER BY SUM() DESC LIMIT 10", id = "failing" }]]
      }),
      merge(local.graph, {
        title   = "The ten queues with the oldest messages, in seconds"
        metrics = [[{ expression = "SELECT MAX(ApproximateAgeOfOldestMessage) FROM SCHEMA(\"AWS/SQS\", QueueName) GROUP BY QueueName ORDER BY MAX() DESC LIMIT 10", id = "old" }]]
      }),
      merge(local.graph, {
        title   = "The ten queues with most messages, dead letters among them"
        metrics = [[{ expression = "SELECT MAX(ApproximateNumberOfMessagesVisible) FROM SCHEMA(\"AWS/SQS\", QueueName) GROUP BY QueueName ORDER BY MAX() DESC LIMIT 10", id = "full" }]]
      }),
    ],
    [for service in sort(keys(local.services)) : merge(local.graph, {
      title = "${service}: errors, age of the relay's oldest change, the table"
      metrics = concat(
        [
          [local.own, "${service}-errors", { stat = "Sum" }],
          ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", "${var.name}-${service}", { stat = "Sum" }],
          ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", "${var.name}-${service}", { stat = "Sum" }],
        ],
        [for relay in [for of, name in local.relays : name if of == service] : [
          "AWS/Lambda", "IteratorAge", "FunctionName", local.full_names[relay], "Resource", "${local.full_names[relay]}:live",
          { stat = "Maximum", yAxis = "right" },
        ]],
      )
    })],
  )

  # Every operation of a service: how long it takes, how often it is called and how often it fails.
  service_widgets = {
    for service in keys(local.services) : service => concat(
      [for measure in [["Duration", "p95"], ["Invocations", "Sum"], ["Errors", "Sum"]] : merge(local.graph, {
        title   = "${service}: ${measure[0]}"
        stat    = measure[1]
        metrics = [for name, operation in local.operations : ["AWS/Lambda", measure[0], "FunctionName", local.full_names[name]] if operation.service == service]
      })],
      [merge(local.graph, {
        title = "${service}: the oldest message of each queue, in seconds"
        stat  = "Maximum"
        metrics = [
          for name, operation in local.operations : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", local.full_names[name]]
          if operation.service == service && operation.queue
        ]
      })],
      [merge(local.graph, {
        title   = "${service}: refusals by code"
        metrics = [[{ expression = "SEARCH('{${local.own},service,code} MetricName=\"refusals\" service=\"${service}\"', 'Sum', 300)", id = "refusals" }]]
      })],
    )
  }

  dashboard_widgets = merge(
    { business = local.business_widgets, machinery = local.machinery_widgets },
    { for service, widgets in local.service_widgets : "service-${service}" => widgets },
  )
  wanted_dashboards = {
    none     = []
    shared   = ["business", "machinery"]
    services = concat(["business", "machinery"], [for service in keys(local.services) : "service-${service}"])
  }[var.dashboards]
}

resource "aws_cloudwatch_dashboard" "dashboard" {
  for_each = toset(local.wanted_dashboards)

  dashboard_name = "${var.name}-${each.key}"

  # Two widgets side by side, row by row.
  dashboard_body = jsonencode({
    widgets = [
      for place, widget in local.dashboard_widgets[each.key] : {
        type       = "metric"
        x          = place % 2 * 12
        y          = floor(place / 2) * 6
        width      = 12
        height     = 6
        properties = widget
      }
    ]
  })
}
