"""What a deployment decides before it asks: pure functions of plans and tables."""

import copy
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from release import changelog, deploy  # noqa: E402
from system.cloud import CloudError  # noqa: E402


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


def test_the_cost_of_an_idle_month_is_shown_before_and_after():
    def module(alarms):
        alarm = {"mode": "managed", "type": "aws_cloudwatch_metric_alarm", "values": {"metric_query": []}}
        return {"child_modules": [{"resources": [{**alarm, "address": str(number)} for number in range(alarms)]}]}

    plan = {"prior_state": {"values": {"root_module": module(3)}}, "planned_values": {"root_module": module(5)}}
    assert deploy.cost(plan).endswith("0.30 dollars now, 0.50 then (+0.20)")
    assert deploy.cost({**plan, "prior_state": {}}).endswith("0.00 dollars now, 0.50 then (+0.50)")


def test_a_release_has_its_section_of_the_changelog():
    text = "# Changelog\n\n## Unreleased\n\n- later\n\n## [0.2.0] - 2026-12-01\n\n- more\n\n## 0.1.0\n\n- first\n"
    assert changelog.section(text, "0.2.0") == "- more"
    assert changelog.section(text, "0.1.0") == "- first"
    assert changelog.section(text, "0.3.0") is None
