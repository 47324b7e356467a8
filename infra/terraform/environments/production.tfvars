# What the environment `production` is, besides the defaults of variables.tf: GitHub's workflows give this file to Terraform,
# and so does whoever deploys by hand (make deploy VARIABLES=infra/terraform/environments/production.tfvars …). A value that
# is missing here is a default again after the next deployment. Nothing secret is in it: the bank's key comes as
# TF_VAR_bank_api_key when `secrets_version` is raised, and never from GitHub (docs/deployments.md).

# The bank's base URL, "https://api.bank.example". Every plan is refused until it stands here.
bank_endpoint = ""

# Pay's own account at the bank.
corporate_account = "9990000000001"

# Raised by whoever writes the bank's key anew.
secrets_version = 1

# `permissions_boundary` of bootstrap, "arn:aws:iam::123456789012:policy/github-pay-boundary". Without it GitHub's role can
# make no roles; once roles have it, a deployment that would take it from them is refused.
permissions_boundary = ""

# Whom alarms tell: ["arn:aws:sns:us-east-1:123456789012:pay-alarms"].
alarm_actions = []

# Web pages that may call the API: ["https://pay.example"].
cors_origins = []

# Warns before the month is dear: { dollars = 50, emails = ["costs@pay.example"] }.
budget = null

# Settings by service: { money = { limits = { walletCap = 500000 } } }.
settings = {}

# Restored tables that took the place of lost ones (docs/recovery.md): { money = "pay-money-at-2026-11-23t10-00" }.
tables = {}

# Raised when a signing key has leaked (docs/runbook.md).
authorizer_generation = 1
