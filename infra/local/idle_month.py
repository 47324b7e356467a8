"""What a month costs in which nobody pays anything, from a plan's resources.

List prices: 0.10 dollars per metric of an alarm, 0.40 per secret, 0.40 per million requests of a queue's five pollers
(20 seconds each) after the free million.
"""

POLLS_A_MONTH = 5 * 3 * 60 * 24 * 30
FREE_POLLS = 1_000_000


def resources(module):
    """Every managed resource by type: {type: {address: values}}."""
    found = {}

    def collect(module):
        for resource in module.get("resources", []):
            if resource["mode"] == "managed":
                found.setdefault(resource["type"], {})[resource["address"]] = resource["values"]
        for child in module.get("child_modules", []):
            collect(child)

    collect(module)
    return found


def alarm_metrics(found):
    return sum(
        sum(bool(query["metric"]) for query in alarm["metric_query"] or []) or 1
        for alarm in found.get("aws_cloudwatch_metric_alarm", {}).values()
    )


def polled_queues(found):
    mappings = found.get("aws_lambda_event_source_mapping", {}).values()
    return sum(":sqs:" in mapping["event_source_arn"] for mapping in mappings)


def dollars(found):
    polls = polled_queues(found) * POLLS_A_MONTH
    secrets = len(found.get("aws_secretsmanager_secret", {}))
    return 0.10 * alarm_metrics(found) + 0.40 * secrets + 0.40 * max(0, polls - FREE_POLLS) / 1_000_000
