"""The whole story of a payment, a remittance, a request, a firmbanking, a settlement line or run, or a trace.

Every call leaves one line in the log with all that it did (shared/contract/src/log.rs), so the story is read from the
log alone, by CloudWatch Logs Insights: the same two queries on AWS and on the local cloud. The first finds the traces
in which the id is named, the second everything that belongs to these traces. Lines are then taken apart into moments,
and moments are put in the order in which they happened.
"""

import argparse
import json
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import boto3
from rich.console import Console
from rich.text import Text

from system.client import json_object

console = Console(highlight=False)

IDS = {
    "pmt": "payment", "rmt": "remittance", "mcr": "recharge or withdrawal", "fbk": "firmbanking", "stl": "settlement line",
    "cnl": "cancellation", "frc": "franchise", "txf": "transfer",
}
TRACE = re.compile(r"[0-9a-f]{32}")
ID = re.compile(rf"({'|'.join(IDS)})_[0-9A-Z]{{26}}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

MOST_GROUPS = 50  # of one query, by name
MOST_LINES = 10_000  # of one query
WAIT_SECONDS = 0.3


class NoStory(Exception):
    """There is nothing to tell."""


# --- what is asked of the log

def about(wanted):
    """The query that finds lines that name an id, a trace or a run's day."""
    if not (TRACE.fullmatch(wanted) or ID.fullmatch(wanted) or DAY.fullmatch(wanted)):
        kinds = ", ".join(f"{prefix}_… ({kind})" for prefix, kind in IDS.items())
        raise NoStory(f"ID= is a trace id of 32 hexadecimal digits, a settlement run's day, or one of {kinds}")
    return query(wanted)


def query(*texts):
    """Texts are hexadecimal digits, ids and days: none has a character that a pattern would take for its own."""
    return f"fields @timestamp, @log, @message | filter @message like /{'|'.join(texts)}/ | sort @timestamp asc | limit {MOST_LINES}"


def ask(logs, groups, text, since, until):
    """Runs a query over all log groups, some at a time, and returns the messages that are lines of ours."""
    lines = []
    for begin in range(0, len(groups), MOST_GROUPS):
        begun = logs.start_query(
            logGroupNames=groups[begin : begin + MOST_GROUPS], startTime=int(since), endTime=int(until), queryString=text, limit=MOST_LINES
        )
        answer = logs.get_query_results(queryId=begun["queryId"])
        while answer["status"] in ("Scheduled", "Running", "Unknown"):
            time.sleep(WAIT_SECONDS)
            answer = logs.get_query_results(queryId=begun["queryId"])
        if answer["status"] != "Complete":
            raise NoStory(f"the query ended as {answer['status']}")
        rows = [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]
        found = [json_object(row.get("@message", "")) for row in rows]
        lines += [line for line in found if "service" in line]
    return lines


def traces_of(wanted, lines):
    """The traces of calls that were about an id: not those that only saw it pass in a sweep, or looked at it."""
    if TRACE.fullmatch(wanted):
        return [wanted]
    found = []
    for line in lines:
        looked = "millis" in line and "steps" not in line and "code" not in line and line.get("caller") != "platform"
        if looked:
            continue
        named = wanted in line.get("ids", []) or wanted in line.get("days", []) or str(line.get("about", "")).startswith(wanted)
        if named and line.get("trace_id") and line["trace_id"] not in found:
            found.append(line["trace_id"])
    return found


# --- the story

@dataclass
class Moment:
    """Something that happened at a time: a call began or ended, or it did something."""

    at: float  # milliseconds since 1970
    who: str
    kind: str
    what: str
    went: str = ""
    ms: int | None = None
    bad: bool = False
    whom: str = ""
    rank: int = field(default=5, compare=False)

    @property
    def service(self):
        return self.who.split(".")[0]


GOOD = ("done", "published", "running", "had ended", "200", "201")


def moments(lines, traces):
    """Takes lines apart. A line of another trace, a relay's or a sweep's, tells only the steps that belong to ours."""
    told, seen = [], set()
    for line in lines:
        identity = json.dumps(line, sort_keys=True)
        if identity in seen:
            continue
        seen.add(identity)
        who = f"{line['service']}.{line['operation']}"
        ours = line.get("trace_id") in traces
        ended = milliseconds(line["timestamp"])
        if "millis" not in line:
            if ours:
                told.append(remark(line, who, ended))
            continue
        began = ended - line["millis"]
        steps = [step for step in line.get("steps", []) if step.get("trace", line.get("trace_id")) in traces]
        if not ours and not steps:
            continue
        if ours:
            told += frame(line, who, began, ended)
        told += [moment_of(step, who, began) for step in steps]
    return sorted(told, key=lambda moment: (moment.at, moment.rank))


def frame(line, who, began, ended):
    caller = line.get("caller", "")
    cause = f"fact {line['fact']}" if "fact" in line else f"called by {caller}" if caller else ""
    yield Moment(began, who, "begins", cause, whom=caller, rank=0 if "." not in caller else 3)
    went = str(line.get("status", ""))
    if "code" in line:
        went += f" {line['code']}"
    if line.get("replayed"):
        went += " (the first answer again)"
    if line.get("cause"):
        went += f": {line['cause']}"
    yield Moment(ended, who, "ends", line["message"].rsplit(" ", 1)[-1], went, line["millis"], "code" in line, caller, 8)


def remark(line, who, at):
    words = [line["message"], *(str(line[name]) for name in ("about", "code", "cause", "rule", "subject", "detail") if name in line)]
    return Moment(at, who, "notes", ": ".join(words), bad=line["level"] != "INFO")


def moment_of(step, who, began):
    went = step["went"]
    bad = went not in GOOD and not went.startswith("comes after")
    kind = "entry" if step["did"] == "commit" and " won #" in step["what"] else step["did"]
    # A call is told where it begins, everything else where it is done.
    begins = step["did"] in ("call", "bank")
    at = began + step["at"] + (0 if begins else step["ms"])
    return Moment(at, who, kind, step["what"], went, step["ms"], bad, step["what"], 2 if begins else 1)


def milliseconds(timestamp):
    return datetime.fromisoformat(timestamp).timestamp() * 1000


# --- how it is told

VERBS = {
    "begins": "▶", "ends": "◀", "call": "calls", "commit": "stores", "entry": "books", "queue": "sends a message to", "fact": "publishes",
    "bank": "asks the bank:", "start": "starts", "notes": "notes:", "more": "did more:",
}
COLOURS = {"begins": "bold", "ends": "bold", "entry": "green", "fact": "magenta", "bank": "yellow", "notes": "dim"}


def show(story, out=console):
    """One line a moment: milliseconds from the beginning, who, and what."""
    start = story[0].at
    for moment in story:
        text = Text(f"{moment.at - start:9.0f}  ", style="dim")
        text.append(f"{moment.who:<38} ", style="cyan")
        text.append(f"{VERBS[moment.kind]} {moment.what}".rstrip(), style=COLOURS.get(moment.kind, ""))
        if moment.went and moment.went != "done":
            text.append(f" → {moment.went}", style="red" if moment.bad else "dim")
        if moment.ms:
            text.append(f"  {moment.ms} ms", style="dim")
        out.print(text, soft_wrap=True)


def mermaid(story):
    """The story as a sequence diagram: services, their callers and the bank, in the order in which they come in."""
    arrows, start = [], story[0].at
    for moment in story:
        arrows += arrows_of(moment, moment.at - start)
    known = list(dict.fromkeys(name for sender, receiver, _, _ in arrows for name in (sender, receiver)))
    lines = ["sequenceDiagram", *(f"  participant {alias(name)} as {name}" for name in known)]
    return "\n".join(lines + [f"  {alias(sender)}{arrow}{alias(receiver)}: {text}" for sender, receiver, arrow, text in arrows])


# Another company's system, which is ours on a local cloud only.
BANK_SIMULATOR = "bank-simulator"


def arrows_of(moment, at):
    me = moment.service
    if me == BANK_SIMULATOR and moment.kind in ("begins", "ends"):
        return []  # banking's own arrows tell them
    me = "bank" if me == BANK_SIMULATOR else me
    told = f"{at:.0f} ms {moment.what}".replace(";", ",")
    went = f" → {moment.went}" if moment.bad else ""
    if moment.kind == "begins" and "." not in moment.whom:
        return [(moment.whom or "platform", me, "->>", f"{at:.0f} ms {moment.who.split('.')[1]}")]
    if moment.kind == "ends" and "." not in moment.whom:
        return [(me, moment.whom or "platform", "-->>", f"{at:.0f} ms {moment.went}")]
    if moment.kind == "ends":
        return [(me, moment.whom.split(".")[0], "-->>", f"{at:.0f} ms {moment.went}")]
    if moment.kind == "call":
        return [(me, moment.what.split(".")[0], "-x" if moment.bad else "->>", told.replace(f"{moment.what.split('.')[0]}.", "") + went)]
    if moment.kind == "bank":
        return [(me, "bank", "-x" if moment.bad else "->>", told + went)]
    if moment.kind in ("queue", "fact"):
        return [(me, "queues" if moment.kind == "queue" else "bus", "-)", told + went)]
    if moment.kind in ("commit", "entry"):
        return [(me, me, "->>", told + went)]
    return []


def alias(name):
    return re.sub(r"\W", "_", name)


def neutral(text):
    """Ids that name nobody, always the same for the same story: for documents."""
    names = {}

    def name(found):
        whole = found.group(0)
        prefix = whole.split("_")[0] if "_" in whole else "trace"
        return names.setdefault(whole, f"{prefix}_{len([n for n in names.values() if n.startswith(prefix)]) + 1}")

    # What a transfer is called at the bank is 32 bytes in base64.
    text = re.sub(r"(/_aws/execute-api/bank)?(/v1/transfers/)[\w-]{43}", r"\2…", text)
    return re.sub(rf"{ID.pattern}|{TRACE.pattern}", name, text)


# --- from the log to the story

def tell(logs, groups, wanted, since, until):
    """The moments of a story, in order; the traces that it was read from."""
    traces = traces_of(wanted, ask(logs, groups, about(wanted), since, until))
    if not traces:
        raise NoStory(f"no call was about {wanted} in this time: MINUTES= looks further back")
    lines = ask(logs, groups, query(*traces), since, until)
    story = moments(lines, traces)
    if not story:
        raise NoStory(f"the log has nothing of {wanted}")
    return story, traces


def groups_of(logs, name):
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/lambda/{name}-")
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def run(logs, name, wanted, minutes, *, picture=False, without_ids=False):
    until = datetime.now(timezone.utc) + timedelta(minutes=1)
    since = until - timedelta(minutes=minutes + 1)
    story, traces = tell(logs, groups_of(logs, name), wanted, since.timestamp(), until.timestamp())
    cleaned = neutral if without_ids else str
    if picture:
        print(cleaned(mermaid(story)))
        return
    begun = datetime.fromtimestamp(story[0].at / 1000, timezone.utc).isoformat(timespec="milliseconds")
    began = "" if without_ids else f", began {begun}"
    console.print(cleaned(f"[bold]{wanted}[/bold], trace {', '.join(traces)}{began}"), soft_wrap=True)
    for moment in story:
        moment.what, moment.went = cleaned(moment.what), cleaned(moment.went)
    show(story)


def main():
    """On AWS: with the caller's own credentials, which need logs:DescribeLogGroups, StartQuery and GetQueryResults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("id")
    parser.add_argument("--name", default="pay")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--minutes", type=float, default=24 * 60)
    parser.add_argument("--mermaid", action="store_true")
    parser.add_argument("--neutral", action="store_true")
    options = parser.parse_args()
    try:
        logs = boto3.client("logs", region_name=options.region)
        run(logs, options.name, options.id, options.minutes, picture=options.mermaid, without_ids=options.neutral)
    except NoStory as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
