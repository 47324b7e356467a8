variable "name" {
  description = "Prefix of every resource's name, so that several stacks can share an account."
  type        = string
  default     = "pay"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "endpoint" {
  description = "Base URL of the local cloud, for example http://127.0.0.1:4566. Empty means AWS."
  type        = string
  default     = ""
}

variable "artifacts" {
  description = "Folder that holds <binary>/bootstrap.zip for every service."
  type        = string
  default     = "../../target/lambda"
}

variable "architecture" {
  description = "Processor of the functions: arm64 or x86_64. It must be the one that the artifacts were built for."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "operations_file" {
  description = "The table of operations that `make generate` writes from the Rust sources."
  type        = string
  default     = "operations.json"
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds every role, from infra/terraform/bootstrap; it stands in the environment's file. Deployments from GitHub need it. Empty: none."
  type        = string
  default     = ""
}

variable "pins" {
  description = "Artifacts to keep as they are, by service: `make deploy SERVICE=…` pins all the others to the output `artifacts`."
  type        = map(object({ key = string, hash = string }))
  default     = {}
}

variable "canary" {
  description = "CodeDeploy's configuration by which new versions become live. Empty: all at once, without CodeDeploy."
  type        = string
  default     = "CodeDeployDefault.LambdaCanary10Percent10Minutes"
}

variable "bank_simulator" {
  description = "Deploy the bank simulator with an HTTP API of its own. Only for development."
  type        = bool
  default     = false
}

variable "bank_endpoint" {
  description = "Base URL of the external bank, where the bank simulator is not deployed."
  type        = string
  default     = ""

  # Without it a deployment that forgets the environment's file would take the bank from everybody.
  validation {
    condition     = var.bank_simulator || startswith(var.bank_endpoint, "https://")
    error_message = "The bank's address begins with https://. Was the environment's file (VARIABLES=) left out?"
  }
}

variable "bank_api_key" {
  description = "The bank's credential. It is written to Secrets Manager and never to the state. Empty: a random one."
  type        = string
  default     = ""
  ephemeral   = true
  sensitive   = true
}

variable "corporate_account" {
  description = "Pay's own account number at the bank."
  type        = string
  default     = "9990000000001"
}

variable "secrets_version" {
  description = "Raise it to write the bank's credential anew. Service keys are written once: raising it would make stored personal data unreadable, so they ignore it."
  type        = number
  default     = 1
}

variable "settings" {
  description = "Settings by service, given to its functions as PAY_CONFIG (JSON), for example { money = { limits = { walletCap = 500000 } } }."
  type        = any # services have settings of different shapes
  default     = {}
}

variable "audience" {
  description = "Audience of access tokens."
  type        = string
  default     = "pay"
}

variable "authorizer_generation" {
  description = "Raise it to make the gateway forget the signing keys that it knows: it gets a new authorizer (docs/runbook.md, a key leaked)."
  type        = number
  default     = 1
}

variable "cors_origins" {
  description = "Origins of web pages that may call the API. Empty: no CORS."
  type        = list(string)
  default     = []
}

variable "throttle" {
  description = "Requests per second and burst that each route takes, unless route_throttles names it."
  type        = object({ rate = number, burst = number })
  default     = { rate = 200, burst = 400 }
}

variable "route_throttles" {
  description = "Own limits for public operations, by operation. Password hashing costs a second of CPU a request, so log-in is dear."
  type        = map(object({ rate = number, burst = number }))

  default = {
    "membership.registerMembership"        = { rate = 20, burst = 40 }
    "membership.registerMembershipByEvent" = { rate = 20, burst = 40 }
    "membership.loginMembership"           = { rate = 20, burst = 40 }
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps logs."
  type        = number
  default     = 30
}

variable "archive_days" {
  description = "How long the archive of facts keeps them: not longer than point-in-time recovery keeps tables. Older ones are published again from the tables."
  type        = number
  default     = 35
}

variable "tables" {
  description = "Table name by service, where it is not the usual one: after a restored table has taken a lost one's place (docs/recovery.md)."
  type        = map(string)
  default     = {}
}

variable "budget" {
  description = "Warn by e-mail when the account's month is forecast to cost, or has cost, more than so many dollars. None: no budget."
  type        = object({ dollars = number, emails = list(string) })
  default     = null
}

variable "tracing" {
  description = "X-Ray: Active samples functions and the state machine (5 dollars a million traces), PassThrough leaves it off. The log tells the whole story either way."
  type        = string
  default     = "PassThrough"

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing)
    error_message = "Tracing is PassThrough or Active."
  }
}

variable "dashboards" {
  description = "Dashboards: \"shared\" are two, one of the business and one of the machinery, within the three that AWS gives away; \"services\" are those and one for each service, at 3 dollars a month each; or \"none\"."
  type        = string
  default     = "shared"

  validation {
    condition     = contains(["none", "shared", "services"], var.dashboards)
    error_message = "Dashboards are none, shared or services."
  }
}

variable "saved_queries" {
  description = "Save the library of log queries (infra/terraform/queries). The local cloud does not know saved queries."
  type        = bool
  default     = true
}

variable "key_rotation_days" {
  description = "Days between rotations of the token signing key."
  type        = number
  default     = 30
}

variable "alarms" {
  description = "Make alarms and the metrics that they read. The local cloud does not give alarms back as they were made, so it goes without."
  type        = bool
  default     = true
}

variable "alarm_actions" {
  description = "ARNs that alarms notify, for example an SNS topic."
  type        = list(string)
  default     = []
}

variable "watch_url" {
  description = "Only for the local cloud: base URL of `cargo lambda watch`, to which every function forwards its invocations."
  type        = string
  default     = ""
}
