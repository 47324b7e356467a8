# What must be there before the first deployment from GitHub: the bucket of Terraform's state, and two roles that GitHub's
# workflows take by OpenID Connect, so that no key of AWS is stored anywhere. A person applies this once, with rights of
# their own, and keeps its small state; docs/deployments.md says how.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "name" {
  description = "The `name` of the stack: the roles reach what begins with it."
  type        = string
  default     = "pay"
}

variable "repository" {
  description = "Owner and name of the repository on GitHub."
  type        = string
}

variable "environment" {
  description = "GitHub's environment whose reviewers approve deployments."
  type        = string
  default     = "production"
}

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  place   = "${var.region}:${local.account}"
  issuer  = "token.actions.githubusercontent.com"

  # Who may take a role: a job of a pull request may look, and a job that somebody let into the environment may deploy.
  subjects = {
    plan   = "repo:${var.repository}:pull_request"
    deploy = "repo:${var.repository}:environment:${var.environment}"
  }

  own = [
    "arn:aws:apigateway:${var.region}::*", # APIs have ids, no names
    "arn:aws:budgets::${local.account}:budget/${var.name}-*",
    "arn:aws:cloudwatch:${local.place}:alarm:${var.name}-*",
    "arn:aws:cloudwatch::${local.account}:dashboard/${var.name}-*",
    "arn:aws:codedeploy:${local.place}:application:${var.name}-*",
    "arn:aws:codedeploy:${local.place}:deploymentconfig:*",
    "arn:aws:codedeploy:${local.place}:deploymentgroup:${var.name}-*",
    "arn:aws:dynamodb:${local.place}:table/${var.name}-*",
    "arn:aws:events:${local.place}:archive/${var.name}*",
    "arn:aws:events:${local.place}:event-bus/${var.name}",
    "arn:aws:events:${local.place}:rule/${var.name}/*",
    "arn:aws:lambda:${local.place}:event-source-mapping:*", # they have ids, no names
    "arn:aws:lambda:${local.place}:function:${var.name}-*",
    "arn:aws:logs:${local.place}:log-group:*", # API Gateway's and Step Functions' groups have prefixes of their own
    "arn:aws:scheduler:${local.place}:schedule/default/${var.name}-*",
    "arn:aws:sqs:${local.place}:${var.name}-*",
    "arn:aws:states:${local.place}:stateMachine:${var.name}-*",
  ]
  services = ["apigateway", "budgets", "cloudwatch", "codedeploy", "dynamodb", "events", "lambda", "logs", "scheduler", "sqs", "states"]
  looks = [
    "apigateway:GET", "budgets:ListTagsForResource", "budgets:ViewBudget", "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard",
    "cloudwatch:List*", "codedeploy:Get*", "codedeploy:List*",
    "dynamodb:Describe*", "dynamodb:List*", "events:Describe*", "events:List*", "lambda:Get*", "lambda:List*",
    "logs:Describe*", "logs:List*", "scheduler:Get*", "scheduler:List*", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags",
    "states:Describe*", "states:List*",
  ]

  # Actions that know no resource: IAM lets them through where a statement is about `*`, and nowhere else.
  looks_at_all = [
    "logs:DescribeLogGroups", "logs:DescribeQueryDefinitions", "secretsmanager:GetRandomPassword", "states:ValidateStateMachineDefinition",
  ]
  changes_of_all = [
    "codedeploy:StopDeployment", "lambda:CreateEventSourceMapping", "logs:DeleteQueryDefinition", "logs:PutQueryDefinition",
    # What an API's access log and a state machine's log are delivered by.
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries",
    "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
  ]

  # Version 5 of the provider reads back each secret that it has written, at every refresh, and keeps nothing of it
  # (hashicorp/terraform-provider-aws#42383). Who plans reads no secret, and therefore refreshes nothing; who deploys could
  # read these anyway, by a function, and reads no signing key.
  looks_at_secrets   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds"]
  changes_of_secrets = ["CreateSecret", "DeleteSecret", "PutSecretValue", "RotateSecret", "TagResource", "UpdateSecret", "CancelRotateSecret"]
  written_secrets    = [for secret in ["*-key", "bank"] : "arn:aws:secretsmanager:${local.place}:secret:${var.name}/${secret}-??????"]
  looks_at_roles     = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies"]
  changes_of_roles   = ["DeleteRole", "TagRole", "UpdateAssumeRolePolicy", "UpdateRole"]
  # What makes a role able to do something: only for roles that the boundary holds.
  powers_of_roles  = ["CreateRole", "DeleteRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy"]
  artifacts        = "arn:aws:s3:::${var.name}-artifacts-${local.account}-${var.region}"
  looks_at_buckets = ["s3:Get*", "s3:ListBucket"]

  # The provider tells AWS's own key for tables from others by it; refused, it would take that key for a difference.
  look_at_tables_key = {
    Action    = ["kms:DescribeKey"]
    Resource  = ["arn:aws:kms:${local.place}:key/*"]
    Condition = { "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = "alias/aws/dynamodb" } }
  }

  statements = {
    plan = [
      { Action = local.looks, Resource = local.own },
      { Action = local.looks_at_all, Resource = ["*"] },
      { Action = local.looks_at_secrets, Resource = ["arn:aws:secretsmanager:${local.place}:secret:${var.name}*"] },
      local.look_at_tables_key,
      { Action = local.looks_at_roles, Resource = ["arn:aws:iam::${local.account}:role/${var.name}-*"] },
      { Action = local.looks_at_buckets, Resource = [local.artifacts, "${local.artifacts}/*", aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/${var.name}.tfstate"] },
      { Action = ["s3:PutObject", "s3:DeleteObject"], Resource = ["${aws_s3_bucket.state.arn}/${var.name}.tfstate.tflock"] },
    ]
    deploy = [
      { Action = [for service in local.services : "${service}:*"], Resource = local.own },
      { Action = concat(local.looks_at_all, local.changes_of_all), Resource = ["*"] },
      { Action = concat(local.looks_at_secrets, [for change in local.changes_of_secrets : "secretsmanager:${change}"]), Resource = ["arn:aws:secretsmanager:${local.place}:secret:${var.name}*"] },
      { Action = ["secretsmanager:GetSecretValue"], Resource = local.written_secrets },
      local.look_at_tables_key,
      { Action = concat(local.looks_at_roles, [for change in local.changes_of_roles : "iam:${change}"]), Resource = ["arn:aws:iam::${local.account}:role/${var.name}-*"] },
      {
        Action    = [for power in local.powers_of_roles : "iam:${power}"]
        Resource  = ["arn:aws:iam::${local.account}:role/${var.name}-*"]
        Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
      },
      {
        Action    = ["iam:PassRole"]
        Resource  = ["arn:aws:iam::${local.account}:role/${var.name}-*"]
        Condition = { StringEquals = { "iam:PassedToService" = ["codedeploy.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"] } }
      },
      { Action = ["s3:*"], Resource = [local.artifacts, "${local.artifacts}/*"] },
      { Action = local.looks_at_buckets, Resource = [aws_s3_bucket.state.arn] },
      { Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = ["${aws_s3_bucket.state.arn}/${var.name}.tfstate", "${aws_s3_bucket.state.arn}/${var.name}.tfstate.tflock"] },
    ]
  }
}

resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_18:whoever reads or writes it is in CloudTrail, and nothing of it is secret
  #checkov:skip=CKV_AWS_144:it can be imported again; versions are what protects it
  #checkov:skip=CKV2_AWS_61:old versions of a state are small and worth keeping
  #checkov:skip=CKV2_AWS_62:nothing waits for a change

  bucket = "${var.name}-state-${local.account}-${var.region}"
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# The most that a role of the stack can do, whatever is written in it: the deploying role makes roles, and could otherwise
# make one that can do more than itself. It holds what the stack's roles have, on everything that begins with the name.
resource "aws_iam_policy" "boundary" {
  # Not among the names that the roles themselves may change.
  name        = "github-${var.name}-boundary"
  description = "The most that a role of ${var.name} can do"
  policy      = templatefile("${path.module}/boundary.json.tftpl", { name = var.name, place = local.place })
}

resource "aws_iam_role" "workflow" {
  for_each = local.subjects

  # Not among the names that the roles themselves may change.
  name                 = "github-${var.name}-${each.key}"
  max_session_duration = 7200 # an apply, and a canary that waits

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Condition = { StringEquals = { "${local.issuer}:aud" = "sts.amazonaws.com", "${local.issuer}:sub" = each.value } }
    }]
  })
}

resource "aws_iam_role_policy" "workflow" {
  for_each = aws_iam_role.workflow

  name = "workflow"
  role = each.value.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.statements[each.key] : merge({ Effect = "Allow" }, statement)]
  })
}

output "state_bucket" {
  description = "STATE_BUCKET, and the repository's variable of that name."
  value       = aws_s3_bucket.state.id
}

output "roles" {
  description = "The repository's variables PLAN_ROLE and DEPLOY_ROLE."
  value       = { for name, role in aws_iam_role.workflow : name => role.arn }
}

output "permissions_boundary" {
  description = "`permissions_boundary` in the environment's file (infra/terraform/environments)."
  value       = aws_iam_policy.boundary.arn
}
