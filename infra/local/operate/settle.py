"""Settles a day as an operator does, and tells what its run does: `make settle [DAY=…]`."""

import json
import time

from rich.console import Console

from system import people
from system.client import new_key, succeed
from system.cloud import wait_until

console = Console(highlight=False)


def settle_day(running, day=None):
    """Prints the execution's history as it grows, and then the run. Returns whether the execution succeeded."""
    token = people.log_in(running, people.operator(running))
    asked = {"businessDay": day} if day else {}
    run = succeed(running.api.post("/v1/settlements", asked, token=token, key=new_key()))
    day = run["businessDay"]
    execution = newest_execution(running, day)
    console.print(f"[bold]▸ {execution.split(':')[-1]}[/bold]")
    state = follow_execution(running, execution)
    console.print(f"the execution has ended: {state}")
    run = succeed(running.api.get(f"/v1/settlements/{day}", token=token))
    print(json.dumps(run, ensure_ascii=False, indent=2))
    return state == "SUCCEEDED"


def newest_execution(running, day):
    """The day's execution of the highest attempt. It exists as soon as the run is started, or a moment later."""
    machine = running.outputs["state_machines"]["settlement"]
    flow = running.cloud.client("stepfunctions")

    def of_that_day():
        pages = flow.get_paginator("list_executions").paginate(stateMachineArn=machine)
        return [one for page in pages for one in page["executions"] if one["name"].startswith(f"{day}-")]

    found = wait_until(of_that_day, 60, f"no execution of {day} was started within a minute: make logs shows why", 0.5)
    return max(found, key=lambda one: int(one["name"].rsplit("-", 1)[1]))["executionArn"]


def follow_execution(running, execution):
    """Prints what happens, a line a state: when, which state, and how it went. Returns how the execution ended."""
    flow = running.cloud.client("stepfunctions")
    seen, began, at = 0, None, ""
    while True:
        state = flow.describe_execution(executionArn=execution)["status"]
        pages = flow.get_paginator("get_execution_history").paginate(executionArn=execution)
        events = [event for page in pages for event in page["events"]]
        for event in events[seen:]:
            began = began or event["timestamp"]
            at = event.get("stateEnteredEventDetails", {}).get("name", at)
            if outcome := outcome_of(event):
                console.print(f"{(event['timestamp'] - began).total_seconds():8.1f} s  {at:<20} {outcome}")
        seen = len(events)
        if state != "RUNNING":
            for run in flow.list_map_runs(executionArn=execution)["mapRuns"]:
                counts = flow.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
                console.print(f"            shards: {counts['succeeded']} of {counts['total']} succeeded", style="dim")
            return state
        time.sleep(1)


def outcome_of(event):
    """What an event says about its state, without inputs; nothing for those that only say that it begins."""
    kind = event["type"]
    if kind.endswith("StateEntered") and kind.startswith("Wait"):
        return "waits"
    if kind.endswith(("StateExited", "ExecutionSucceeded")):
        return "done"
    if kind.endswith(("Failed", "TimedOut", "Aborted")):
        details = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
        return f"[red]{details.get('error', kind)}[/red]"
    return None
