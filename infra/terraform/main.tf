# The whole system from one table: operations.json says what each operation needs, and the modules turn
# that into a function, a role with exactly those grants, a queue, a route or a schedule. AWS and the
# local cloud differ only in variables.

data "aws_caller_identity" "current" {}

locals {
  is_local = var.endpoint != ""
  account  = data.aws_caller_identity.current.account_id

  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  table = jsondecode(file(var.operations_file))

  services = {
    for name, service in local.table.services : name => service
    if var.bank_simulator || !service.development_only
  }
  operations = {
    for name, operation in local.table.operations : name => operation
    if contains(keys(local.services), operation.service)
  }

  # Names follow a rule, so that a grant or an alarm can name another operation's function or queue
  # without waiting for it.
  full_names = { for name, operation in local.operations : name => "${var.name}-${operation.service}-${operation.name}" }

  # How a bank transfer ends concerns the saga that asked for it, whose id its reference begins with. Handlers drop
  # others' references; a rule that does not deliver them spares two of three wakings.
  sagas   = { money = "mcr_", remittance = "rmt_", settlement = "stl_" }
  endings = ["banking.firmbankingSucceeded.v1", "banking.firmbankingFailed.v1"]

  place = "${var.region}:${local.account}"

  queue_base = local.is_local ? "${var.endpoint}/${local.account}" : "https://sqs.${var.region}.amazonaws.com/${local.account}"

  bank_endpoint = var.bank_simulator ? module.bank_api[0].url : var.bank_endpoint
}

module "service" {
  source   = "./modules/service"
  for_each = local.services

  name                = "${var.name}-${each.key}"
  artifact            = "${var.artifacts}/${each.value.binary}/bootstrap.zip"
  bucket              = aws_s3_bucket.artifacts.id
  pin                 = lookup(var.pins, each.key, null)
  indexes             = each.value.indexes
  deletion_protection = !local.is_local
  table               = lookup(var.tables, each.key, "${var.name}-${each.key}")
  dead_letters        = contains(local.giving_up, each.key)
}

module "function" {
  source   = "./modules/function"
  for_each = local.operations

  name      = local.full_names[each.key]
  operation = each.value

  artifact  = module.service[each.value.service].artifact
  table     = module.service[each.value.service].table
  bus       = { name = aws_cloudwatch_event_bus.facts.name, arn = aws_cloudwatch_event_bus.facts.arn }
  queue_arn = "arn:aws:sqs:${local.place}:${local.full_names[each.key]}"

  dead_letters_arn = "arn:aws:sqs:${local.place}:${var.name}-${each.value.service}-dead"

  callable  = [for called in each.value.calls : "arn:aws:lambda:${local.place}:function:${local.full_names[called]}:live"]
  enqueable = [for queued in each.value.enqueues : "arn:aws:sqs:${local.place}:${local.full_names[queued]}"]
  workflows = [for workflow in each.value.workflows : "${var.name}-${workflow}"]
  place     = local.place
  secrets = {
    read  = [for secret in each.value.secrets.read : aws_secretsmanager_secret.secret[secret].arn]
    write = [for secret in each.value.secrets.write : aws_secretsmanager_secret.secret[secret].arn]
  }

  environment = merge(
    {
      PAY_SERVICE   = each.value.service
      PAY_TABLE     = module.service[each.value.service].table.name
      PAY_BUS       = aws_cloudwatch_event_bus.facts.name
      PAY_PREFIX    = var.name
      PAY_QUEUES    = local.queue_base
      PAY_WORKFLOWS = local.workflows_base
      PAY_ISSUER    = module.pay_api.url
      PAY_AUDIENCE  = var.audience
      PAY_PUBLISHED = join(",", local.services[each.value.service].publishes)
      PAY_CONFIG    = jsonencode(try(var.settings[each.value.service], {}))
    },
    each.value.service == "banking" ? { PAY_BANK_ENDPOINT = local.bank_endpoint } : {},
    local.is_local ? { AWS_ENDPOINT_URL = var.endpoint } : {},
    var.watch_url == "" ? {} : {
      MINISTACK_LAMBDA_PROXY_URL = "${var.watch_url}/2015-03-31/functions/${local.services[each.value.service].binary}/invocations"
    },
  )

  architecture       = var.architecture
  log_retention_days = var.log_retention_days
  tracing            = var.tracing
  counts_errors      = var.alarms

  permissions_boundary = local.permissions_boundary
}

# Apart from the functions, because queues take the provider a minute: routes need not wait for them.
module "triggers" {
  source   = "./modules/triggers"
  for_each = local.operations

  name             = local.full_names[each.key]
  operation        = each.value
  function         = module.function[each.key].function
  stream_arn       = module.service[each.value.service].table.stream
  queue_arn        = "arn:aws:sqs:${local.place}:${local.full_names[each.key]}"
  dead_letters_arn = module.service[each.value.service].dead_letters

  permissions_boundary = local.permissions_boundary

  about = alltrue([for fact in each.value.subscribes : contains(local.endings, fact)]) ? lookup(local.sagas, each.value.service, null) : null

  rule_arn = "arn:aws:events:${local.place}:rule/${var.name}/${local.full_names[each.key]}"
  bus      = aws_cloudwatch_event_bus.facts.name
}

module "pay_api" {
  source = "./modules/http-api"

  name            = var.name
  operations      = { for name, operation in local.operations : name => operation if local.services[operation.service].api == "pay" }
  functions       = { for name, operation in module.function : name => operation.function }
  initializer     = contains(keys(local.operations), "membership.ensureSigningKey") ? "membership.ensureSigningKey" : null
  audience        = var.audience
  cors_origins    = var.cors_origins
  throttle        = var.throttle
  route_throttles = var.route_throttles

  authorizer_generation = var.authorizer_generation

  local_endpoint     = var.endpoint
  local_id           = "pay"
  log_retention_days = var.log_retention_days
}

# The bank is another company's system, so its simulator answers under an address of its own.
module "bank_api" {
  source = "./modules/http-api"
  count  = var.bank_simulator ? 1 : 0

  name       = "${var.name}-bank"
  operations = { for name, operation in local.operations : name => operation if local.services[operation.service].api == "bank" }
  functions  = { for name, operation in module.function : name => operation.function }
  throttle   = var.throttle

  local_endpoint     = var.endpoint
  local_id           = "bank"
  log_retention_days = var.log_retention_days
}

resource "aws_cloudwatch_event_bus" "facts" {
  name = var.name
}

# What `make replay` takes facts from (docs/recovery.md). Whatever is older is told again by republish, from the tables.
resource "aws_cloudwatch_event_archive" "facts" {
  name             = var.name
  description      = "Every fact of Pay, for replays."
  event_source_arn = aws_cloudwatch_event_bus.facts.arn
  event_pattern    = jsonencode({ source = [{ prefix = "pay." }] })
  retention_days   = var.archive_days
}

# One zip per service, uploaded once. The provider creates functions from local files one at a time
# (5 seconds each), from S3 in parallel.
resource "aws_s3_bucket" "artifacts" {
  #checkov:skip=CKV_AWS_18:nobody but a deployment and Lambda reads it, and there is nothing secret in it
  #checkov:skip=CKV_AWS_21:a key is the hash of its content, and Lambda keeps the code of every published version
  #checkov:skip=CKV_AWS_144:it can be built again from the sources at any time
  #checkov:skip=CKV2_AWS_61:Terraform deletes what is no longer deployed
  #checkov:skip=CKV2_AWS_62:nothing waits for an upload

  bucket        = "${var.name}-artifacts-${local.account}-${var.region}"
  force_destroy = local.is_local
}

# What is deployed, for the next deployment to compare with: one of a single service leaves the others as they are here.
resource "aws_s3_object" "operations" {
  bucket  = aws_s3_bucket.artifacts.id
  key     = "operations.json"
  content = file(var.operations_file)
}

resource "aws_s3_bucket_public_access_block" "artifacts" {
  bucket                  = aws_s3_bucket.artifacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
