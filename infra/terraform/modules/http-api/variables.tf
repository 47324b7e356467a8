variable "name" {
  type = string
}

variable "operations" {
  description = "The operations whose routes this API serves, as in operations.json."
  type        = any
}

variable "functions" {
  description = "Every operation's function: name, alias, alias ARN and invocation ARN."
  type        = map(object({ name = string, alias = string, alias_arn = string, invoke_arn = string }))
}

variable "initializer" {
  description = "The operation that makes the first signing key, or null where no route needs a token."
  type        = string
  default     = null
}

variable "audience" {
  type    = string
  default = ""
}

variable "authorizer_generation" {
  description = "A higher one is a new authorizer, which knows no signing key yet."
  type        = number
  default     = 1
}

variable "cors_origins" {
  type    = list(string)
  default = []
}

variable "throttle" {
  type = object({ rate = number, burst = number })
}

variable "route_throttles" {
  type    = map(object({ rate = number, burst = number }))
  default = {}
}

variable "local_endpoint" {
  description = "Base URL of the local cloud, or empty on AWS."
  type        = string
}

variable "local_id" {
  description = "The API's id in the local cloud, which serves it under a path instead of a host name."
  type        = string
}

variable "log_retention_days" {
  type = number
}
