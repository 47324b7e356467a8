"""Dashboards and saved queries as the plan has them (PAY_PLAN), and the story that is read from recorded log lines."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

COMPOSITION = Path(__file__).resolve().parents[1]
ROOT = COMPOSITION.parents[1]
sys.path.insert(0, str(ROOT / "infra/local"))

from operate import tracing  # noqa: E402

DECLARED = (ROOT / "shared/contract/src/log.rs").read_text()
FIELDS = set(re.findall(r'(?:always|sometimes)\(\s*"(\w+)"', DECLARED))
METRICS = {
    name: re.findall(r'"(\w+)"', dimensions)
    for name, dimensions in re.findall(r'Metric \{\s*name: "(\w+)",\s*dimensions: &\[([^\]]*)\]', DECLARED)
}
QUERIES = sorted((COMPOSITION / "queries").glob("*.txt"))


@pytest.fixture(scope="module")
def resources():
    """The root module's resources by type and key, or by name where there is one of them: {type: {key: values}}."""
    plan = json.loads(Path(os.environ["PAY_PLAN"]).read_text())
    found = {}
    for resource in plan["planned_values"]["root_module"]["resources"]:
        key = resource["index"] if isinstance(resource.get("index"), str) else resource["name"]
        found.setdefault(resource["type"], {})[key] = resource["values"]
    return found


# --- dashboards

@pytest.fixture(scope="module")
def dashboards(resources):
    made = resources["aws_cloudwatch_dashboard"]
    return {name: json.loads(values["dashboard_body"])["widgets"] for name, values in made.items() if "dashboard_body" in values}


def rows(widgets):
    """The metrics that widgets name, with a widget's own statistic."""
    for widget in widgets:
        for row in widget["properties"]["metrics"]:
            yield row


def test_there_is_a_dashboard_of_the_business_one_of_the_machinery_and_one_a_service_where_asked_for(resources):
    services = json.loads((COMPOSITION / "operations.json").read_text())["services"]
    wanted = {"business", "machinery"} | {f"service-{service}" for service in services}
    assert set(resources["aws_cloudwatch_dashboard"]) == wanted


def test_the_free_dashboards_name_no_more_metrics_than_are_free(dashboards):
    """Fifty metrics each. The gateway's id is known only after a deployment, so a body may be still unknown in a plan."""
    for name in {"business", "machinery"} & set(dashboards):
        assert len(list(rows(dashboards[name]))) <= 50, name


def test_widgets_do_not_overlap(dashboards):
    assert dashboards
    for widgets in dashboards.values():
        places = [(widget["x"], widget["y"]) for widget in widgets]
        assert len(places) == len(set(places)) and all(widget["x"] + widget["width"] <= 24 for widget in widgets)


def test_dashboards_show_our_own_metrics_under_their_declared_dimensions(dashboards):
    shown = set()
    for row in rows(widget for widgets in dashboards.values() for widget in widgets):
        words = [word for word in row if isinstance(word, str)]
        if words[:1] == ["pay"] and words[1] in METRICS:
            assert words[2::2] == METRICS[words[1]], row
            shown.add(words[1])
        for options in (part for part in row if isinstance(part, dict) and "SEARCH" in part.get("expression", "")):
            schema, name = re.search(r"\{pay,([\w,]+)\} MetricName=\"(\w+)\"", options["expression"]).groups()
            assert schema.split(",") == METRICS[name], row
            shown.add(name)
    assert shown == set(METRICS) - {"unanswered"}


def test_counted_facts_are_the_relays(dashboards):
    counted = re.search(r"pub const COUNTED: &\[&str\] = &\[([^\]]*)\]", (ROOT / "shared/contract/src/outbox.rs").read_text()).group(1)
    shown = {row[3] for row in rows(dashboards["business"]) if row[:2] == ["pay", "won"]}
    assert shown == set(re.findall(r'"([\w.]+)"', counted))


# --- alarms

def test_what_the_log_counts_rings(resources):
    alarms = resources["aws_cloudwatch_metric_alarm"].values()
    watched = {alarm["metric_name"]: alarm for alarm in alarms if alarm["namespace"] == "pay" and not alarm["metric_name"].endswith("-errors")}
    assert set(watched) == {"findings", "unknown_age", "reached"}
    assert all(set(alarm["dimensions"] or {}) == set(METRICS[name]) for name, alarm in watched.items())


def test_a_pay_out_that_failed_rings(resources):
    """By the kind and the state under which settlement's table keeps it: a series under another name is silent for ever."""
    alarm = resources["aws_cloudwatch_metric_alarm"]["failed_pay_outs"]
    assert (alarm["metric_name"], alarm["statistic"], alarm["threshold"]) == ("reached", "Sum", 0)
    stored = json.loads((ROOT / "events/items/settlement.line.json").read_text())
    assert (alarm["dimensions"]["record"], alarm["dimensions"]["state"]) in {(line["kind"]["S"], line["state"]["S"]) for line in stored}
    assert alarm["dimensions"]["state"] == "failed"


def test_an_alarm_names_its_page_of_the_runbook(resources):
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    for name, alarm in resources["aws_cloudwatch_metric_alarm"].items():
        named = re.findall(r"docs/runbook\.md#([\w-]+)", alarm["alarm_description"])
        assert named and set(named) <= anchors, name


# --- saved queries

@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_a_query_begins_with_its_symptom_and_asks_for_fields_that_lines_have(file):
    text = file.read_text()
    assert re.match(r"# [A-Z].*\n", text), "the symptom"
    query = " ".join(line for line in text.splitlines() if not line.startswith("#"))
    asked = re.sub(r'"[^"]*"|/[^/]*/', " ", query)
    made = set(re.findall(r"\bas (\w+)", asked))
    names = set(re.findall(r"(?<![@\w])[a-z_]\w*(?:\.\w+)*", asked))
    words = {
        "fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "like", "ispresent", "count", "sum", "avg", "max", "latest",
        "pct", "bin", "m", "desc", "asc",
    }
    unknown = {name.split(".")[0] for name in names} - words - made - FIELDS - {"timestamp"}
    assert not unknown


def test_every_query_is_saved(resources):
    saved = resources["aws_cloudwatch_query_definition"]
    assert set(saved) == {file.name for file in QUERIES}
    for values in saved.values():
        assert len(values.get("log_group_names") or []) <= 50


# --- the story, from lines as functions write them

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PAYMENT = "pmt_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def line(service, operation, ended, millis, **more):
    return {
        "timestamp": f"2026-11-22T10:15:{ended:06.3f}Z", "level": "INFO", "message": f"{operation} answered", "service": service,
        "operation": operation, "trace_id": TRACE, "millis": millis, **more,
    }


def step(at, ms, did, what, went="done", **more):
    return {"at": at, "ms": ms, "did": did, "what": what, "went": went, **more}


LINES = [
    line("payment", "relayOutbox", 31.2, 40, trace_id="f" * 32, caller="platform", steps=[
        step(3, 9, "queue", "payment.sweepPayments", "comes after 25 s", trace=TRACE),
        step(20, 9, "fact", "money.increased.v1", "published", trace="e" * 32),
    ]),
    line("money", "transferMoney", 30.090, 40, caller="payment.requestPayment", ids=[PAYMENT], steps=[
        step(10, 12, "commit", "entry payment 42000 won #3"),
    ]),
    line("payment", "requestPayment", 30.2, 200, status=201, caller="member", ids=[PAYMENT], steps=[
        step(2, 8, "commit", "payment requested"),
        step(40, 55, "call", "money.transferMoney"),
        step(100, 60, "commit", "payment normal"),
    ]),
    {"timestamp": "2026-11-22T10:15:30.150Z", "level": "WARN", "message": "money did not answer", "service": "payment",
     "operation": "requestPayment", "trace_id": TRACE, "cause": "no answer"},
]


class Logs:
    """CloudWatch Logs as boto3 answers: a query first runs, then is complete, and gives rows of cells."""

    def __init__(self, lines):
        self.lines, self.asked, self.polls = lines, [], 0

    def start_query(self, **request):
        assert len(request["logGroupNames"]) <= 50
        assert set(request) == {"logGroupNames", "startTime", "endTime", "queryString", "limit"}
        self.asked.append(request)
        return {"queryId": str(len(self.asked))}

    def get_query_results(self, queryId):
        self.polls += 1
        if self.polls % 2:
            return {"status": "Running", "results": []}
        pattern = re.search(r"filter @message like /([^/]*)/", self.asked[int(queryId) - 1]["queryString"]).group(1)
        # Every group is asked once; the lines are all in the first.
        lines = self.lines if "g0" in self.asked[int(queryId) - 1]["logGroupNames"] else []
        texts = [text for text in map(json.dumps, lines) if re.search(pattern, text)] + ["START RequestId: 1"]
        row = lambda text: [{"field": "@timestamp", "value": "…"}, {"field": "@message", "value": text}, {"field": "@ptr", "value": "x"}]
        return {"status": "Complete", "results": [row(text) for text in texts]}


def told(wanted=PAYMENT, lines=LINES):
    return tracing.tell(Logs(lines), [f"g{number}" for number in range(120)], wanted, 0, 1)


def test_a_story_is_found_by_an_id_and_told_in_time_order(monkeypatch):
    monkeypatch.setattr(tracing, "WAIT_SECONDS", 0)
    story, traces = told()
    assert traces == [TRACE]
    assert [(moment.who, moment.kind) for moment in story] == [
        ("payment.requestPayment", "begins"), ("payment.requestPayment", "commit"), ("payment.requestPayment", "call"),
        ("money.transferMoney", "begins"), ("money.transferMoney", "entry"), ("money.transferMoney", "ends"),
        ("payment.requestPayment", "notes"), ("payment.requestPayment", "commit"), ("payment.requestPayment", "ends"),
        ("payment.relayOutbox", "queue"),
    ]
    assert [round(moment.at - story[0].at) for moment in story][:5] == [0, 10, 40, 50, 72]
    assert told(TRACE)[0] == story


def test_another_traces_lines_tell_only_what_belongs_to_this_one(monkeypatch):
    monkeypatch.setattr(tracing, "WAIT_SECONDS", 0)
    assert not [moment for moment in told()[0] if "increased" in moment.what]


def test_a_story_is_drawn_as_a_sequence(monkeypatch):
    monkeypatch.setattr(tracing, "WAIT_SECONDS", 0)
    drawn = tracing.mermaid(told()[0]).splitlines()
    assert drawn[0] == "sequenceDiagram"
    assert "  member->>payment: 0 ms requestPayment" in drawn
    assert "  payment->>money: 40 ms transferMoney" in drawn
    assert "  money->>money: 72 ms entry payment 42000 won #3" in drawn


@pytest.mark.parametrize("wanted", ["", "x", "pmt_1", "mbr_01ARZ3NDEKTSV4RRFFQ69G5FAV", f"{TRACE}/ or 1", "hana@example.com"])
def test_only_ids_are_asked_for(wanted):
    with pytest.raises(tracing.NoStory):
        tracing.about(wanted)


def test_nothing_known_is_said_so(monkeypatch):
    monkeypatch.setattr(tracing, "WAIT_SECONDS", 0)
    with pytest.raises(tracing.NoStory):
        told("rmt_01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_neutral_ids_keep_what_is_the_same_the_same():
    assert tracing.neutral(f"{PAYMENT} {TRACE} {PAYMENT}") == "pmt_1 trace_1 pmt_1"
