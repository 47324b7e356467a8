# The state lives in S3, on AWS and in the local cloud alike; bucket, key and endpoint are given to
# `terraform init -backend-config=…` (partial configuration), because a backend cannot read variables.

terraform {
  required_version = ">= 1.11.0" # write-only attributes keep secrets out of the state

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  backend "s3" {}
}

provider "aws" {
  region = var.region

  # The local cloud knows neither the metadata service nor real credentials, and its buckets are paths.
  skip_credentials_validation = local.is_local
  skip_metadata_api_check     = local.is_local
  skip_region_validation      = local.is_local
  s3_use_path_style           = local.is_local

  default_tags {
    tags = { system = var.name }
  }

  dynamic "endpoints" {
    for_each = local.is_local ? [var.endpoint] : []

    content {
      apigatewayv2   = endpoints.value
      cloudwatch     = endpoints.value
      codedeploy     = endpoints.value
      dynamodb       = endpoints.value
      events         = endpoints.value
      iam            = endpoints.value
      lambda         = endpoints.value
      logs           = endpoints.value
      s3             = endpoints.value
      scheduler      = endpoints.value
      secretsmanager = endpoints.value
      sfn            = endpoints.value
      sqs            = endpoints.value
      sts            = endpoints.value
    }
  }
}
