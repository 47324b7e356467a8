# The library of Logs Insights queries: a file each, which begins with the symptom that it answers. They
# cost nothing until they are run (0.005 dollars per gigabyte looked through).

locals {
  queries = var.saved_queries ? fileset("${path.module}/queries", "*.txt") : []

  # A saved query takes fifty log groups at most, and Pay has more: where no service is named here, the
  # console is told which groups to look through ("/aws/lambda/pay-" finds them all).
  queried_services = {
    "audit.txt"      = ["money"]
    "bank.txt"       = ["banking"]
    "settlement.txt" = ["settlement"]
  }
}

resource "aws_cloudwatch_query_definition" "query" {
  for_each = local.queries

  name         = "${var.name}/${trimsuffix(each.key, ".txt")}"
  query_string = file("${path.module}/queries/${each.key}")
  log_group_names = contains(keys(local.queried_services), each.key) ? sort([
    for name, operation in local.operations : "/aws/lambda/${local.full_names[name]}"
    if contains(local.queried_services[each.key], operation.service)
  ]) : null
}
