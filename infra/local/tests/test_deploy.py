"""What a deployment decides before it asks: pure functions of plans and tables."""

import copy
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from botocore.exceptions import ClientError  # noqa: E402
from release import changelog, deploy  # noqa: E402
from system import aliases  # noqa: E402
from system.cloud import ROOT, CloudError  # noqa: E402


def table(**operations):
    services = {name.split("_")[0] for name in operations}
    return {
        "services": {service: {"release": "old"} for service in services},
        "operations": {
            name.replace("_", "."): {"service": name.split("_")[0], "calls": [], "enqueues": [], **more}
            for name, more in operations.items()
        },
    }


def test_a_deployment_of_one_service_leaves_every_other_as_it_is_deployed():
    deployed = table(money_hold={"memory_mb": 128}, payment_pay={"memory_mb": 128})
    wanted = copy.deepcopy(deployed)
    wanted["services"] = {"money": {"release": "new"}, "payment": {"release": "new"}}
    wanted["operations"]["money.hold"]["memory_mb"] = 256
    wanted["operations"]["payment.pay"]["memory_mb"] = 256
    merged = deploy.with_only("money", wanted, deployed)
    assert merged["services"] == {"money": {"release": "new"}, "payment": {"release": "old"}}
    assert {name: one["memory_mb"] for name, one in merged["operations"].items()} == {"money.hold": 256, "payment.pay": 128}


def test_a_service_is_not_deployed_alone_before_what_it_calls_or_without_what_calls_it():
    deployed = table(money_hold={}, payment_pay={"calls": ["money.hold"]})
    wanted = table(money_keep={}, payment_pay={"calls": ["money.keep"]})
    with pytest.raises(CloudError, match="money.keep"):
        deploy.with_only("payment", wanted, deployed)
    with pytest.raises(CloudError, match="money.hold"):
        deploy.with_only("money", wanted, deployed)
    with pytest.raises(CloudError, match="no service"):
        deploy.with_only("mony", wanted, deployed)


def test_what_keeps_something_is_not_destroyed_by_accident():
    def change(kind, *actions):
        return {"address": f"{kind}.it", "type": kind, "change": {"actions": list(actions)}}

    plan = {"resource_changes": [
        change("aws_dynamodb_table", "delete", "create"),
        change("aws_sqs_queue", "delete"),
        change("aws_dynamodb_table", "update"),
        change("aws_s3_object", "delete", "create"),
    ]}
    assert deploy.losses(plan) == ["aws_dynamodb_table.it", "aws_sqs_queue.it"]


def test_a_deployment_does_not_forget_the_variables_that_the_stack_was_deployed_with():
    def change(kind, before, after, *actions):
        return {"address": f"{kind}.bank[0]", "type": kind, "change": {"before": before, "after": after, "actions": list(actions)}}

    def emptied(*changes, given=(), before="https://bank.example", after="https://bank.example"):
        outputs = {"bank_url": {"actions": ["update"], "before": before, "after": after}}
        return deploy.emptied({"resource_changes": list(changes), "output_changes": outputs}, dict(given))

    topic, role = ["arn:aws:sns:…"], "aws_iam_role"
    assert emptied(after="") == ["bank_endpoint"]
    assert emptied(before="", after="") == emptied(after="https://other.example") == []
    assert emptied(change("aws_cloudwatch_metric_alarm", {"alarm_actions": topic}, {"alarm_actions": []}, "update")) == ["alarm_actions"]
    assert emptied(change(role, {"permissions_boundary": "arn"}, {"permissions_boundary": None}, "update")) == ["permissions_boundary"]
    # Another value is a decision, and so is what was never there; a destroyed role is no forgotten boundary.
    assert emptied(
        change("aws_cloudwatch_metric_alarm", {"alarm_actions": topic}, {"alarm_actions": ["arn:other"]}, "update"),
        change(role, {"permissions_boundary": None}, {"permissions_boundary": None}, "update"),
        change(role, {"permissions_boundary": "arn"}, None, "delete"),
    ) == []
    key = change("aws_secretsmanager_secret_version", {"secret_string_wo_version": 2}, {"secret_string_wo_version": 1}, "delete", "create")
    assert emptied(key) == ["bank_api_key"]
    assert emptied(key, given={"TF_VAR_bank_api_key": "…"}.items()) == []


def test_the_environments_file_names_every_variable_that_a_deployment_may_not_forget():
    composition = ROOT / "infra/terraform"
    declared = set(re.findall(r'^variable "(\w+)"', (composition / "variables.tf").read_text(), re.MULTILINE))
    for file in (composition / "environments").glob("*.tfvars"):
        given = set(re.findall(r"^(\w+) *=", file.read_text(), re.MULTILINE))
        # The others have defaults that any environment can live with, or come from the deployment itself.
        assert {
            "alarm_actions", "authorizer_generation", "bank_endpoint", "budget", "cors_origins", "permissions_boundary",
            "secrets_version", "settings", "tables",
        } <= given <= declared - {"bank_api_key"}, file


def test_the_workflows_deploy_with_the_environments_file():
    for workflow in ("main", "plan"):
        text = (ROOT / f".github/workflows/{workflow}.yml").read_text()
        [file] = re.findall(r"^ +VARIABLES: (\S+)$", text, re.MULTILINE)
        assert (ROOT / file).is_file()


def test_the_cost_of_an_idle_month_is_shown_before_and_after():
    def module(alarms):
        alarm = {"mode": "managed", "type": "aws_cloudwatch_metric_alarm", "values": {"metric_query": []}}
        return {"child_modules": [{"resources": [{**alarm, "address": str(number)} for number in range(alarms)]}]}

    plan = {"prior_state": {"values": {"root_module": module(3)}}, "planned_values": {"root_module": module(5)}}
    assert deploy.cost(plan).endswith("0.30 dollars now, 0.50 then (+0.20)")
    assert deploy.cost({**plan, "prior_state": {}}).endswith("0.00 dollars now, 0.50 then (+0.50)")


class Canaries:
    """CodeDeploy and Lambda, as far as a canary is taken back by them: with errors by function, where they have any."""

    def __init__(self, stopping, moving):
        self.stopping, self.moving = stopping, moving
        self.states = {}
        self.live = {}

    def batch_get_deployments(self, deploymentIds):
        return {"deploymentsInfo": [{"deploymentId": one, "status": self.states[one]} for one in deploymentIds]}

    def stop_deployment(self, deploymentId, autoRollbackEnabled):
        # What cannot be stopped goes on to its end.
        self.states[deploymentId] = "Succeeded" if deploymentId in self.stopping else "Stopped"
        self.fail("StopDeployment", self.stopping.get(deploymentId))

    def update_alias(self, FunctionName, FunctionVersion, **_):
        self.fail("UpdateAlias", self.moving.get(FunctionName))
        self.live[FunctionName] = FunctionVersion

    def fail(self, action, code):
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, action)


@pytest.mark.parametrize("stopping, moving, left, told", [
    ({}, {}, set(), None),
    ({"hold": "AccessDeniedException"}, {}, set(), "hold"),
    ({}, {"hold": "TooManyRequestsException"}, {"hold"}, "hold"),
    # It ended while the others were being stopped, and is moved back like any that ended well.
    ({"hold": "DeploymentAlreadyCompletedException"}, {}, set(), None),
])
def test_a_canary_is_taken_back_though_one_of_its_functions_resists(stopping, moving, left, told):
    aws = Canaries(stopping, moving)
    started = {name: aliases.Move(f"money.{name}", name, was="6", to="7") for name in ("hold", "post", "release")}
    aws.states = dict.fromkeys(started, "InProgress")
    error = None
    try:
        aliases.Aliases({}, lambda _: aws).take_back(aws, started)
    except CloudError as raised:
        error = str(raised)
    assert aws.live == {name: "6" for name in started if name not in left}
    assert error is None if told is None else f"money.{told}: " in error and "money.post" not in error


def test_a_release_has_its_section_of_the_changelog():
    text = "# Changelog\n\n## Unreleased\n\n- later\n\n## [0.2.0] - 2026-12-01\n\n- more\n\n## 0.1.0\n\n- first\n"
    assert changelog.section(text, "0.2.0") == "- more"
    assert changelog.section(text, "0.1.0") == "- first"
    assert changelog.section(text, "0.3.0") is None
