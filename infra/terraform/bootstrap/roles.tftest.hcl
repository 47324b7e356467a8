# The roles as they would be, without AWS: infra/terraform/tests/test_bootstrap.py reads their policies from this run.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::pay-state-123456789012-us-east-1" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/github-pay-boundary" }
  }
}

run "roles" {
  variables {
    repository = "owner/pay"
  }

  assert {
    condition     = keys(output.roles) == ["deploy", "plan"]
    error_message = "There are two roles: one looks, one deploys."
  }
}
