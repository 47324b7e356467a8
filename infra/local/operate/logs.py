"""All functions' logs in one stream, in time order, and only those of one trace if asked."""

import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.text import Text

from system.client import json_object

console = Console(highlight=False)
# Written by the platform around every invocation; of no use to a reader.
FRAME = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_START")
COLOURS = {"ERROR": "red", "WARN": "yellow"}


def show(system, minutes, trace=None, *, follow=False):
    since = int((time.time() - minutes * 60) * 1000)
    seen = set()
    while True:
        for event in collect(system, since):
            identity = (event["logStreamName"], event["timestamp"], event["message"])
            if identity in seen or event["message"].startswith(FRAME):
                continue
            seen.add(identity)
            if trace is None or trace in event["message"]:
                console.print(line(event), soft_wrap=True)
        if not follow:
            return
        time.sleep(1)


def collect(system, since):
    logs = system.cloud.client("logs")

    def of(function):
        group = f"/aws/lambda/{function}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        return [{**event, "function": function} for page in pages for event in page["events"]]

    with ThreadPoolExecutor(8) as pool:
        found = [event for events in pool.map(of, system.outputs["functions"].values()) for event in events]
    return sorted(found, key=when)


def when(event):
    """The line's own time where it has one: CloudWatch knows only when the invocation ended."""
    fields = json_object(event["message"])
    return (fields.get("timestamp") or fields.get("time") or iso(event["timestamp"]), event["timestamp"])


def iso(milliseconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds / 1000)) + f".{milliseconds % 1000:03}Z"


def line(event):
    fields = json_object(event["message"])
    level = fields.pop("level", "")
    message = fields.pop("message", None) or (fields.pop("fields", {}) or {}).get("message") or event["message"]
    moment = fields.pop("timestamp", None) or fields.pop("time", None) or iso(event["timestamp"])
    text = Text()
    text.append(f"{moment[11:23]} ", style="dim")
    text.append(f"{event['function']:<40} ", style="cyan")
    text.append(f"{level:<5} ", style=COLOURS.get(level, "dim"))
    text.append(message if fields or level else event["message"])
    if fields:
        text.append("  " + " ".join(f"{name}={value}" for name, value in fields.items()), style="dim")
    return text
