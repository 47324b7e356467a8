output "api_url" {
  description = "Base URL of the public API; also the issuer of access tokens."
  value       = module.pay_api.url
}

output "bank_url" {
  description = "Base URL of the bank that banking talks to."
  value       = local.bank_endpoint
}

output "name" {
  description = "Prefix of every resource's name."
  value       = var.name
}

output "region" {
  description = "Region of the stack."
  value       = var.region
}

output "bus" {
  description = "Event bus that carries the facts."
  value       = aws_cloudwatch_event_bus.facts.name
}

output "archive" {
  description = "ARN of the archive of all facts."
  value       = aws_cloudwatch_event_archive.facts.arn
}

output "tables" {
  description = "Table name by service."
  value       = { for name, service in module.service : name => service.table.name }
}

output "functions" {
  description = "Function name by operation; invoke the alias `live`."
  value       = local.full_names
}

output "queues" {
  description = "Queue URL by operation."
  value       = { for name, operation in local.operations : name => "${local.queue_base}/${local.full_names[name]}" if operation.queue }
}

output "dead_letter_queues" {
  description = "Dead-letter queue URL by service: a message in it names the operation that gave it up."
  value       = { for service in local.giving_up : service => "${local.queue_base}/${var.name}-${service}-dead" }
}

output "secrets" {
  description = "ARN by secret."
  value       = { for name, secret in aws_secretsmanager_secret.secret : name => secret.arn }
}

output "artifacts_bucket" {
  description = "Bucket of the service artifacts."
  value       = aws_s3_bucket.artifacts.id
}

output "queue_base" {
  description = "What every queue's URL begins with."
  value       = local.queue_base
}

output "state_machines" {
  description = "ARN by state machine."
  value       = { for machine in aws_sfn_state_machine.settlement : "settlement" => machine.arn }
}

output "workflows_base" {
  description = "What every state machine's ARN begins with."
  value       = local.workflows_base
}

output "versions" {
  description = "The version published last, by operation; the deployment makes it live."
  value       = { for name, operation in module.function : name => operation.version }
}

output "artifacts" {
  description = "Key and hash of each service's artifact: what `pins` takes."
  value       = { for name, service in module.service : name => { key = service.artifact.key, hash = service.artifact.hash } }
}

output "canary" {
  description = "CodeDeploy's configuration, or nothing."
  value       = var.canary
}
