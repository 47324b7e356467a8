variable "name" {
  description = "Name of the function, its role and its queue."
  type        = string
}

variable "operation" {
  description = "The operation's entry in operations.json."
  type        = any
}

variable "artifact" {
  type = object({ bucket = string, key = string, hash = string })
}

variable "table" {
  type = object({ name = string, arn = string, stream = string })
}

variable "bus" {
  type = object({ name = string, arn = string })
}

variable "dead_letters_arn" {
  description = "ARN of the service's dead-letter queue, by name."
  type        = string
}

variable "queue_arn" {
  description = "ARN that the operation's own queue has or would have."
  type        = string
}

variable "callable" {
  description = "ARNs of the function aliases that the operation may invoke."
  type        = list(string)
}

variable "enqueable" {
  description = "ARNs of the queues that the operation may send to."
  type        = list(string)
}

variable "workflows" {
  description = "Names of the state machines whose executions the operation may start."
  type        = list(string)
}

variable "place" {
  description = "Region and account, as ARNs write them."
  type        = string
}

variable "secrets" {
  description = "ARNs of the secrets that the operation may read and write."
  type        = object({ read = list(string), write = list(string) })
}

variable "environment" {
  type = map(string)
}

variable "architecture" {
  type = string
}

variable "log_retention_days" {
  type = number
}

variable "tracing" {
  type = string
}

variable "counts_errors" {
  description = "Count errors in the log as a metric, for the service's alarm."
  type        = bool
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds the role, or null."
  type        = string
}
