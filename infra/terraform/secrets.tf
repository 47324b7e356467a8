# Secret values pass through Terraform only as ephemeral and write-only values: neither the state nor a
# plan file ever holds one. The signing keys are made by the product itself (ensureSigningKey).

locals {
  secret_names = toset(flatten([
    for operation in values(local.operations) : concat(operation.secrets.read, operation.secrets.write)
  ]))
  service_keys = toset([for name in local.secret_names : name if endswith(name, "-key")])
  rotations    = { for name, operation in local.operations : operation.rotates => name if operation.rotates != null }
}

resource "aws_secretsmanager_secret" "secret" {
  for_each = local.secret_names

  name                    = "${var.name}/${each.key}"
  recovery_window_in_days = local.is_local ? 0 : 30
}

ephemeral "aws_secretsmanager_random_password" "service_key" {
  for_each = local.service_keys

  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "service_key" {
  for_each = local.service_keys

  secret_id                = aws_secretsmanager_secret.secret[each.key].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.service_key[each.key].random_password
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_random_password" "bank" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "bank" {
  count = contains(local.secret_names, "bank") ? 1 : 0

  secret_id = aws_secretsmanager_secret.secret["bank"].id
  secret_string_wo = jsonencode({
    apiKey           = var.bank_api_key != "" ? var.bank_api_key : ephemeral.aws_secretsmanager_random_password.bank.random_password
    corporateAccount = var.corporate_account
  })
  secret_string_wo_version = var.secrets_version
}

# Rotation starts after the first key exists (module.pay_api makes it), and not at once: a new key may
# sign only after gateways have had time to see it published.
resource "aws_secretsmanager_secret_rotation" "rotation" {
  for_each = local.rotations

  secret_id           = aws_secretsmanager_secret.secret[each.key].id
  rotation_lambda_arn = module.function[each.value].function.alias_arn
  rotate_immediately  = false

  rotation_rules {
    automatically_after_days = var.key_rotation_days
  }

  depends_on = [module.pay_api, module.triggers]
}
