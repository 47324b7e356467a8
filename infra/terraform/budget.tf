# What AWS itself says about the bill: a budget over what carries the stack's tag. It needs no metric and no alarm,
# and the first two budgets of an account are free. docs/cost.md says how to see what has grown.

resource "aws_budgets_budget" "month" {
  count = var.budget == null ? 0 : 1

  name         = "${var.name}-month"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.budget.dollars)
  limit_unit   = "USD"

  # The tag must be activated once for cost allocation, in the billing console.
  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:system$%s", var.name)]
  }

  # Forecast first: it comes while something can still be done.
  dynamic "notification" {
    for_each = { FORECASTED = 100, ACTUAL = 80 }

    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = var.budget.emails
    }
  }
}
