"""Replays facts out of the bus's archive: `make replay FROM=… [TO=…] [ONLY=operation]`.

Every consumer takes a fact that it knows for what it is, so a replay changes nothing but what was missed.
"""

from datetime import datetime, timezone

from rich.console import Console

from system.cloud import CloudError, wait_until

console = Console(highlight=False)
STARTING = ("STARTING", "RUNNING")


def moment(text):
    """`2026-11-23T12:00:00Z`, or with an offset."""
    try:
        given = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise CloudError(f"a moment is spelled like 2026-11-23T12:00:00Z, not {text!r}") from None
    return given if given.tzinfo else given.replace(tzinfo=timezone.utc)


def replay(running, since, until=None, only=None, minutes=60):
    """Starts a replay, and waits for its end."""
    events, bus = running.cloud.client("events"), running.outputs["bus"]
    # EventBridge knows an event's time to the second, cut off.
    start = moment(since).replace(microsecond=0)
    end = moment(until) if until else datetime.now(timezone.utc)
    if start >= end:
        raise CloudError("FROM= is before TO=")
    arn = events.describe_event_bus(Name=bus)["Arn"]
    destination = {"Arn": arn}
    if only:
        rule = running.outputs["functions"][running.operation(only)]
        destination["FilterArns"] = [arn.replace(":event-bus/", ":rule/") + f"/{rule}"]
    name = f"{bus}-{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}"
    events.start_replay(
        ReplayName=name, EventSourceArn=running.outputs["archive"], EventStartTime=start, EventEndTime=end, Destination=destination,
    )
    console.print(f"replay {name}: facts from {start.isoformat()} to {end.isoformat()}")

    def ended():
        said = events.describe_replay(ReplayName=name)
        return said if said["State"] not in STARTING else None

    failure = f"it is not done after {minutes} minutes: aws events describe-replay --replay-name {name}"
    said = wait_until(ended, minutes * 60, failure)
    if said["State"] != "COMPLETED":
        raise CloudError(f"it ended {said['State']}: {said.get('StateReason', '')}")
    console.print("every fact of that time is in its queues again; consumers ignore what they know")
