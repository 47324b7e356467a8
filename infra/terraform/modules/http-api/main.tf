# An HTTP API. The order matters: API, public routes and stage come first, then the first signing key,
# then the authorizer (API Gateway reads the issuer's discovery document when it is created), then the
# routes that need a token.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  is_local = var.local_endpoint != ""
  url      = local.is_local ? "${var.local_endpoint}/_aws/execute-api/${var.local_id}" : aws_apigatewayv2_api.api.api_endpoint

  routed = { for name, operation in var.operations : name => operation if length(operation.routes) > 0 }

  routes = merge([
    for name, operation in local.routed : {
      for route in operation.routes :
      (route.path == "$default" ? "$default" : "${route.method} ${route.path}") => {
        operation = name
        access    = operation.access
        scopes    = operation.scopes
      }
    }
  ]...)
  public_routes = { for key, route in local.routes : key => route if route.access != "scoped" }
  scoped_routes = { for key, route in local.routes : key => route if route.access == "scoped" }
  has_tokens    = length(local.scoped_routes) > 0
}

resource "aws_apigatewayv2_api" "api" {
  name          = var.name
  protocol_type = "HTTP"
  tags          = local.is_local ? { "ms-custom-id" = var.local_id } : {}

  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) > 0 ? [var.cors_origins] : []

    content {
      allow_origins  = cors_configuration.value
      allow_methods  = ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]
      allow_headers  = ["authorization", "content-type", "idempotency-key", "if-match", "traceparent"]
      expose_headers = ["etag", "idempotent-replayed", "link", "location", "retry-after", "trace-id"]
      max_age        = 3600
    }
  }
}

resource "aws_apigatewayv2_integration" "function" {
  for_each = local.routed

  api_id                 = aws_apigatewayv2_api.api.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.functions[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

resource "aws_lambda_permission" "gateway" {
  for_each = local.routed

  statement_id  = "gateway"
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  function_name = var.functions[each.key].name
  qualifier     = var.functions[each.key].alias
  source_arn    = "${aws_apigatewayv2_api.api.execution_arn}/*/*"
}

resource "aws_apigatewayv2_route" "public" {
  #checkov:skip=CKV_AWS_309:for whoever has no token yet; a test names every public operation (tests/e2e/test_tokens.py)

  for_each = local.public_routes

  api_id    = aws_apigatewayv2_api.api.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.function[each.value.operation].id}"
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_apigatewayv2_stage" "stage" {
  api_id      = aws_apigatewayv2_api.api.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }

  # A stage can name only routes that exist already, so only public ones have limits of their own.
  dynamic "route_settings" {
    for_each = { for key, route in local.public_routes : key => var.route_throttles[route.operation] if contains(keys(var.route_throttles), route.operation) }

    content {
      route_key              = route_settings.key
      throttling_rate_limit  = route_settings.value.rate
      throttling_burst_limit = route_settings.value.burst
    }
  }

  # No address, no user agent, no query: an access log must not become a store of personal data.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId        = "$context.requestId"
      route            = "$context.routeKey"
      status           = "$context.status"
      latencyMs        = "$context.responseLatency"
      integrationError = "$context.integrationErrorMessage"
      authorizerError  = "$context.authorizer.error"
      traceId          = "$context.xrayTraceId"
    })
  }

  depends_on = [aws_apigatewayv2_route.public]
}

# Answers key ids only, so nothing secret reaches the state.
resource "aws_lambda_invocation" "first_key" {
  count = var.initializer == null ? 0 : 1

  function_name   = var.functions[var.initializer].name
  qualifier       = var.functions[var.initializer].alias
  input           = "{}"
  lifecycle_scope = "CREATE_ONLY"
}

# By itself a new name is a change of the same authorizer, which may keep the keys that it knows.
resource "terraform_data" "authorizer_generation" {
  count = local.has_tokens ? 1 : 0

  input = var.authorizer_generation
}

resource "aws_apigatewayv2_authorizer" "token" {
  count = local.has_tokens ? 1 : 0

  api_id           = aws_apigatewayv2_api.api.id
  name             = var.authorizer_generation == 1 ? "access-token" : "access-token-${var.authorizer_generation}"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = local.url
    audience = [var.audience]
  }

  # AWS deletes no authorizer that a route names: first comes the new one, under another name, then the routes go over.
  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [terraform_data.authorizer_generation]
  }

  depends_on = [
    aws_apigatewayv2_stage.stage,
    aws_lambda_invocation.first_key,
    aws_lambda_permission.gateway,
  ]
}

resource "aws_apigatewayv2_route" "scoped" {
  for_each = local.scoped_routes

  api_id               = aws_apigatewayv2_api.api.id
  route_key            = each.key
  target               = "integrations/${aws_apigatewayv2_integration.function[each.value.operation].id}"
  authorization_type   = "JWT"
  authorizer_id        = aws_apigatewayv2_authorizer.token[0].id
  authorization_scopes = each.value.scopes
}

output "id" {
  value = aws_apigatewayv2_api.api.id
}

output "url" {
  value = local.url
}
