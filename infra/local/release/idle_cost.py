"""What a month costs in which nobody calls: `make bench-idle`, from a plan and the checked-in price list.

An idle month is the floor under every bill. It is counted from `terraform show -json`, so that a queue, an alarm or a
secret that somebody adds shows at once, and infra/terraform/tests holds it to a limit.
"""

import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from system import terraform
from system.cloud import ROOT, Cloud

PRICES = ROOT / "shared/bench/prices.toml"
CLOUD = "idle"


@dataclass
class Line:
    what: str
    count: int
    most: float
    least: float


def resources_of(values):
    """Every managed resource of a plan's or a state's values by type: {type: {address: values}}."""
    found = {}

    def collect(module):
        for resource in module.get("resources", []):
            if resource["mode"] == "managed":
                found.setdefault(resource["type"], {})[resource["address"]] = resource["values"]
        for child in module.get("child_modules", []):
            collect(child)

    collect(values.get("root_module", {}))
    return found


def month(resources):
    """The month's lines. Lambda polls with two to five pollers, so there is a most and a least."""
    prices = tomllib.loads(PRICES.read_text())
    monthly = prices["month"]
    every = {kind: list(resources.get(kind, {}).values()) for kind in (
        "aws_cloudwatch_metric_alarm", "aws_cloudwatch_dashboard", "aws_cloudwatch_log_metric_filter",
        "aws_secretsmanager_secret", "aws_scheduler_schedule",
    )}
    # By address: what a source's ARN will be, a plan against nothing does not know.
    mappings = resources.get("aws_lambda_event_source_mapping", {})
    polled = [one for address, one in mappings.items() if ".aws_lambda_event_source_mapping.queue" in address]
    assert not any(one.get("scaling_config") for one in polled), "a maximum concurrency keeps five pollers on an idle queue"

    def polls(pollers):
        requests = len(polled) * monthly[pollers] * monthly["hours"] * 3600 // monthly["queue_poll_seconds"]
        return max(0, requests - monthly["queue_requests_free"]) / 1e6 * prices["queue_request"]["dollars_per_million"]

    metrics = {
        (change["namespace"], change["name"])
        for one in every["aws_cloudwatch_log_metric_filter"] for change in one["metric_transformation"]
    }
    dear_metrics = max(0, len(metrics) - monthly["custom_metrics_free"]) * monthly["custom_metric"]
    runs = sum(runs_of(one["schedule_expression"], monthly["hours"]) for one in every["aws_scheduler_schedule"])
    # A run is a request, and a read or some of what is forgotten; 25 read units is more than any of them takes then.
    scheduled = runs / 1e6 * (prices["lambda_request"]["dollars_per_million"] + 25 * prices["read_unit"]["dollars_per_million"])
    alarm_metrics = sum(metrics_of(alarm) for alarm in every["aws_cloudwatch_metric_alarm"])
    secrets, dashboards = len(every["aws_secretsmanager_secret"]), len(every["aws_cloudwatch_dashboard"])
    return [
        Line("polled queues", len(polled), polls("queue_pollers_most"), polls("queue_pollers_least")),
        fixed("metrics that alarms read", alarm_metrics, alarm_metrics * monthly["alarm_metric"]),
        fixed("secrets", secrets, secrets * monthly["secret"]),
        fixed("dashboards", dashboards, max(0, dashboards - monthly["dashboards_free"]) * monthly["dashboard"]),
        Line("metrics of log filters", len(metrics), dear_metrics, 0.0),
        fixed("scheduled runs", round(runs), scheduled),
    ]


def fixed(what, count, dollars):
    return Line(what, count, dollars, dollars)


def metrics_of(alarm):
    return sum(bool(query["metric"]) for query in alarm["metric_query"] or []) or 1


def runs_of(schedule, hours):
    """How often a month: `rate(15 minutes)`, `rate(1 hour)`, `cron(…)` once a day."""
    if schedule.startswith("cron("):
        return hours / 24
    count, unit = schedule.removeprefix("rate(").removesuffix(")").split()
    return hours / (int(count) * {"minute": 1 / 60, "hour": 1, "day": 24}[unit.rstrip("s")])


def most(resources):
    return sum(line.most for line in month(resources))


def listing(lines):
    table = Table("an idle month", "how many", "$ at most", "$ at least")
    for column in table.columns[1:]:
        column.justify = "right"
    for line in lines:
        table.add_row(line.what, str(line.count), f"{line.most:.2f}", f"{line.least:.2f}")
    table.add_section()
    table.add_row("sum", "", f"{sum(line.most for line in lines):.2f}", f"{sum(line.least for line in lines):.2f}")
    return table


def plan():
    """A plan of all that AWS would get, made against an empty cloud of its own: nothing needs to be built or to run."""
    cloud = Cloud(CLOUD)
    cloud.reset()
    cloud.start()
    try:
        with tempfile.TemporaryDirectory() as artifacts:
            for service in terraform.table()["services"].values():
                zip_file = Path(artifacts) / service["binary"] / "bootstrap.zip"
                zip_file.parent.mkdir(parents=True, exist_ok=True)
                zip_file.write_bytes(b"")
            local = terraform.Stack.local(cloud)
            local.init()
            return local.plan({
                "endpoint": cloud.endpoint, "artifacts": artifacts, "bank_endpoint": "https://bank.example", "alarms": True,
            })
    finally:
        cloud.reset()
