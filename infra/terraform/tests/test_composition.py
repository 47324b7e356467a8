"""What the local cloud cannot catch, asserted over `terraform show -json` of a plan (PAY_PLAN)."""

import json
import os
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "local"))

from release import idle_cost  # noqa: E402

HTTP_FUNCTION_SECONDS = 20  # the gateway gives up after 30
# The aim is 10 for all of Pay, and what Lambda's pollers are said to come down to keeps it. With all five pollers on
# every queue it is this much: docs/cost.md says what would lower it. Until then this holds what there is: with a canary, and with the alarm that a pay-out has failed.
IDLE_DOLLARS = 15.10


@pytest.fixture(scope="module")
def plan():
    return json.loads(Path(os.environ["PAY_PLAN"]).read_text())


@pytest.fixture(scope="module")
def resources(plan):
    return idle_cost.resources_of(plan["planned_values"])


@pytest.fixture(scope="module")
def operations(plan):
    file = Path(plan["variables"]["operations_file"]["value"])
    composition = Path(__file__).resolve().parents[1]
    return json.loads((composition / file).read_text())["operations"]


def functions(resources):
    return {function["function_name"]: function for function in resources["aws_lambda_function"].values()}


def queues(resources):
    return {queue["name"]: queue for queue in resources["aws_sqs_queue"].values()}


def test_every_operation_has_a_function_a_role_a_log_and_an_alias(resources, operations):
    names = {f"pay-{operation['service']}-{operation['name']}" for operation in operations.values()}
    assert set(functions(resources)) == names
    assert {alias["function_name"] for alias in resources["aws_lambda_alias"].values()} == names
    assert {role["name"] for role in resources["aws_iam_role"].values()} >= names
    assert {function["role"].rsplit("/")[-1] for function in functions(resources).values()} == names


def test_a_queue_hides_a_message_for_six_times_as_long_as_its_function_may_take(resources):
    waiting = {name: queue for name, queue in queues(resources).items() if not name.endswith("-dead")}
    assert waiting
    for name, queue in waiting.items():
        assert queue["visibility_timeout_seconds"] >= 6 * functions(resources)[name]["timeout"], name


def test_what_is_given_up_goes_to_its_services_dead_letter_queue(resources):
    for name, queue in queues(resources).items():
        if not name.endswith("-dead"):
            service = functions(resources)[name]["environment"][0]["variables"]["PAY_SERVICE"]
            assert json.loads(queue["redrive_policy"])["deadLetterTargetArn"].endswith(f":pay-{service}-dead")
    streams = [m for m in resources["aws_lambda_event_source_mapping"].values() if ":dynamodb:" in m["event_source_arn"]]
    for mapping in streams:
        assert mapping["destination_config"][0]["on_failure"][0]["destination_arn"].endswith("-dead")
        assert mapping["bisect_batch_on_function_error"]
        assert 0 < mapping["maximum_retry_attempts"] < 1000
        assert 0 < mapping["maximum_record_age_in_seconds"] < 86400
    for schedule in resources["aws_scheduler_schedule"].values():
        assert schedule["target"][0]["dead_letter_config"][0]["arn"].endswith("-dead")


def test_a_scheduled_run_that_fails_goes_to_its_services_dead_letter_queue(resources, operations):
    """Scheduler only hands a run over. Lambda forgets one that failed three times, unless it may leave it somewhere."""
    kept = {one["function_name"]: one for one in resources["aws_lambda_function_event_invoke_config"].values()}
    scheduled = {f"pay-{one['service']}-{one['name']}": one["service"] for one in operations.values() if one["schedule"]}
    assert set(kept) == set(scheduled)
    for name, service in scheduled.items():
        assert kept[name]["qualifier"] == "live"
        assert (kept[name]["maximum_retry_attempts"], kept[name]["maximum_event_age_in_seconds"]) == (2, 3600)
        assert kept[name]["destination_config"][0]["on_failure"][0]["destination"].endswith(f":pay-{service}-dead")
    for operation in operations.values():
        granted = grants(resources, f"pay-{operation['service']}-{operation['name']}")
        dead = [resource.split(":")[-1] for action, resource in granted if action == "sqs:SendMessage" and resource.endswith("-dead")]
        # A relay leaves its records there in the same way.
        gives_up = operation["schedule"] or operation["stream"]
        assert dead == ([f"pay-{operation['service']}-dead"] if gives_up else []), operation["name"]


def test_settlement_begins_by_seouls_clock(resources, operations):
    """Ten minutes after a business day has ended there. In any other zone every day would be settled hours late."""
    schedules = {schedule["name"]: schedule for schedule in resources["aws_scheduler_schedule"].values()}
    by_the_clock = {f"pay-{one['service']}-{one['name']}": one["schedule"] for one in operations.values() if (one["schedule"] or "").startswith("cron(")}
    assert "pay-settlement-startSettlement" in by_the_clock
    for name, expression in by_the_clock.items():
        assert schedules[name]["schedule_expression"] == expression
        assert schedules[name]["schedule_expression_timezone"] == "Asia/Seoul", name


def test_lambda_stops_every_loop_but_that_of_an_operation_with_its_own_queue(resources, operations):
    """Whoever goes on by messages to itself ends by itself. Nothing else may come round, which is what Lambda's stop is for."""
    allowed = {one["function_name"]: one["recursive_loop"] for one in resources["aws_lambda_function_recursion_config"].values()}
    itself = {name for name, operation in operations.items() if name in operation["enqueues"]}
    assert allowed == {f"pay-{operations[name]['service']}-{operations[name]['name']}": "Allow" for name in itself}

    def reached(name, seen):
        for following in operations[name]["calls"] + operations[name]["enqueues"]:
            if following != name and following not in seen:
                seen.add(following)
                reached(following, seen)
        return seen

    for name in operations:
        back = {following for following in reached(name, set()) if name in reached(following, set())}
        assert not back, f"{name} comes round through {back}"


def test_partial_failures_of_batches_are_reported(resources):
    for address, mapping in resources["aws_lambda_event_source_mapping"].items():
        assert mapping["function_response_types"] == ["ReportBatchItemFailures"], address


def test_a_table_has_at_most_two_stream_readers(resources):
    readers = [m["event_source_arn"] for m in resources["aws_lambda_event_source_mapping"].values() if ":dynamodb:" in m["event_source_arn"]]
    assert all(readers.count(stream) <= 2 for stream in readers)


def test_functions_behind_routes_end_before_the_gateway_does(resources, operations):
    for operation in operations.values():
        if operation["routes"]:
            function = functions(resources)[f"pay-{operation['service']}-{operation['name']}"]
            assert function["timeout"] <= HTTP_FUNCTION_SECONDS, operation["name"]


def test_logs_are_kept_for_a_while_and_not_for_ever(resources):
    groups = {group["name"]: group for group in resources["aws_cloudwatch_log_group"].values()}
    assert all(0 < group["retention_in_days"] <= 400 for group in groups.values())
    assert {f"/aws/lambda/{name}" for name in functions(resources)} <= set(groups)


def test_nothing_calls_a_function_but_by_its_alias(resources):
    for integration in resources["aws_apigatewayv2_integration"].values():
        assert ":live/invocations" in integration["integration_uri"]
    for mapping in resources["aws_lambda_event_source_mapping"].values():
        assert mapping["function_name"].endswith(":live")
    for schedule in resources["aws_scheduler_schedule"].values():
        assert schedule["target"][0]["arn"].endswith(":live")
    for permission in resources["aws_lambda_permission"].values():
        assert permission["qualifier"] == "live"


def test_routes_ask_for_the_scopes_that_the_operation_names(resources, operations):
    routes = {
        ("bank" if "bank_api" in address else "pay", route["route_key"]): route
        for address, route in resources["aws_apigatewayv2_route"].items()
    }
    for operation in operations.values():
        for route in operation["routes"]:
            key = "$default" if route["path"] == "$default" else f"{route['method']} {route['path']}"
            found = [made for (_, made_key), made in routes.items() if made_key == key]
            assert found, key
            if operation["access"] == "scoped":
                assert found[0]["authorization_type"] == "JWT"
                assert sorted(found[0]["authorization_scopes"] or []) == sorted(operation["scopes"]), key


def test_whatever_hashes_a_password_for_anybody_is_bounded(resources, operations):
    """Argon2id takes a second and the memory of a whole function, which is why the operation is given so much."""
    dear = {
        f"{route['method']} {route['path']}"
        for operation in operations.values() if operation["access"] == "public" and operation["service"] == "membership"
        for route in operation["routes"] if operation["memory_mb"] >= 1024
    }
    assert len(dear) == 3
    stage = next(stage for address, stage in resources["aws_apigatewayv2_stage"].items() if "pay_api" in address)
    usual = stage["default_route_settings"][0]["throttling_rate_limit"]
    limits = {route["route_key"]: route["throttling_rate_limit"] for route in stage["route_settings"]}
    assert {key for key, limit in limits.items() if 0 < limit <= usual / 10} == dear


def test_a_web_page_reads_every_header_that_answers_have(resources):
    headers = json.loads((Path(__file__).resolve().parents[1] / "openapi.json").read_text())["components"]["headers"]
    api = next(api for address, api in resources["aws_apigatewayv2_api"].items() if "pay_api" in address)
    assert set(api["cors_configuration"][0]["expose_headers"]) == {name.lower() for name in headers}


# Actions that know no resource: the last two lines are what Step Functions needs to write logs and traces.
WITHOUT_RESOURCE = {"dynamodb:ListStreams", "xray:PutTraceSegments", "xray:PutTelemetryRecords"} | {
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
    "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery", "xray:GetSamplingRules", "xray:GetSamplingTargets",
}


def test_roles_grant_only_what_operations_list(resources, operations):
    for address, policy in resources["aws_iam_role_policy"].items():
        for statement in json.loads(policy["policy"])["Statement"]:
            actions = as_list(statement["Action"])
            assert not any("*" in action for action in actions), address
            wide = [action for action in actions if statement["Resource"] in ("*", ["*"])]
            assert set(wide) <= WITHOUT_RESOURCE, address
    for name, operation in operations.items():
        granted = grants(resources, f"pay-{operation['service']}-{operation['name']}")
        own_table = {resource for action, resource in granted if action.startswith("dynamodb:") and resource != "*"}
        tables = {re.search(r":table/([^/]+)", resource).group(1) for resource in own_table}
        assert tables <= {f"pay-{operation['service']}"}, name
        assert ("dynamodb:PutItem" in {action for action, _ in granted}) == ("write" in operation["table"]), name
        assert ("dynamodb:Scan" in {action for action, _ in granted}) == ("scan" in operation["table"]), name
        assert ("events:PutEvents" in {action for action, _ in granted}) == operation["publishes"], name


def test_the_boundary_of_roles_lets_them_do_what_they_do_and_nothing_else(resources):
    template = Path(__file__).resolve().parents[1] / "bootstrap/boundary.json.tftpl"
    boundary = json.loads(template.read_text().replace("${name}", "pay").replace("${place}", "*"))
    bounds = allowed(boundary)
    used = set()
    for address, policy in resources["aws_iam_role_policy"].items():
        for action, resource in allowed(json.loads(policy["policy"])):
            used.add(action)
            assert any(action == bound and fnmatchcase(resource, pattern) for bound, pattern in bounds), (address, action, resource)
    # Nothing is traced by X-Ray in the local cloud.
    assert all(action.startswith("xray:") for action, _ in bounds if action not in used)


def allowed(policy):
    """Every action that a policy allows, with each resource."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def as_list(one_or_more):
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def grants(resources, role):
    return {
        grant
        for policy in resources["aws_iam_role_policy"].values()
        if policy.get("role") == role  # CodeDeploy's is not known before its role is there
        for grant in allowed(json.loads(policy["policy"]))
    }


# Money asks banking again under the very reference that the fact is about. Its firmbanking is final by then, a final
# one commits nothing, and so no fact follows: these calls end where they began.
ENDED_BY_REFERENCE = {
    ("money.onFirmbankingSucceeded", "banking.requestFirmbanking"),
    ("money.onFirmbankingFailed", "banking.requestFirmbanking"),
    # So does remittance, whose recharge, if there was one, was final before its own firmbanking began.
    ("remittance.onFirmbankingSucceeded", "banking.requestFirmbanking"),
    ("remittance.onFirmbankingFailed", "banking.requestFirmbanking"),
    ("remittance.onFirmbankingSucceeded", "money.increaseMoneyRequest"),
    ("remittance.onFirmbankingFailed", "money.increaseMoneyRequest"),
    # And settlement: the sweeper alone makes another attempt, and only for a person's request.
    ("settlement.onFirmbankingSucceeded", "banking.requestFirmbanking"),
    ("settlement.onFirmbankingFailed", "banking.requestFirmbanking"),
}


def test_how_a_transfer_ended_wakes_only_the_saga_that_asked(resources, operations):
    """Each handler drops references of others: its rule does not deliver them. The ids' prefixes are the kernel's."""
    kinds = {"money": "MoneyRequest", "remittance": "Remittance", "settlement": "Settlement"}
    kernel = (Path(__file__).resolve().parents[3] / "shared/kernel/src/id.rs").read_text()
    rules = {rule["name"]: json.loads(rule["event_pattern"]) for rule in resources["aws_cloudwatch_event_rule"].values()}
    for operation in operations.values():
        if not operation["subscribes"]:
            continue
        pattern = rules[f"pay-{operation['service']}-{operation['name']}"]
        assert sorted(pattern["detail-type"]) == sorted(operation["subscribes"])
        if set(operation["subscribes"]) <= {"banking.firmbankingSucceeded.v1", "banking.firmbankingFailed.v1"}:
            prefix = re.search(rf'for {kinds[operation["service"]]} {{\s+const PREFIX: &\'static str = "(\w+)"', kernel).group(1)
            assert pattern["detail"] == {"data": {"reference": [{"prefix": f"{prefix}_"}]}}, operation["name"]
        else:
            assert "detail" not in pattern, operation["name"]


def test_the_graph_of_facts_has_no_cycle(plan, operations):
    """AWS stops no loop that goes through a table: fact → handler → table → relay → the same fact."""
    emitted = emissions(operations)
    edges = {}
    for operation in operations.values():
        for fact in operation["subscribes"]:
            edges.setdefault(fact, set()).update(emitted.get(f"{operation['service']}.{operation['name']}", ()))

    def reaches(fact, goal, seen):
        for following in edges.get(fact, ()):
            if following == goal or (following not in seen and reaches(following, goal, seen | {following})):
                return True
        return False

    assert not [fact for fact in edges if reaches(fact, fact, {fact})]


def emissions(operations):
    """Which facts a handler's work can lead to: its own and those of every operation that it calls or enqueues."""
    direct = {name: set(operation["emits"]) for name, operation in operations.items()}
    following = {
        name: {called for called in operation["calls"] + operation["enqueues"] if (name, called) not in ENDED_BY_REFERENCE}
        for name, operation in operations.items()
    }
    for _ in operations:
        direct = {name: facts.union(*(direct[called] for called in following[name])) for name, facts in direct.items()}
    return direct


def test_tables_are_backed_up_encrypted_and_stream_both_images(resources):
    for table in resources["aws_dynamodb_table"].values():
        assert table["billing_mode"] == "PAY_PER_REQUEST"
        assert table["stream_view_type"] == "NEW_AND_OLD_IMAGES"
        assert table["point_in_time_recovery"][0]["enabled"]
        assert table["server_side_encryption"][0]["enabled"]
        assert table["ttl"][0] == {"attribute_name": "expiresAt", "enabled": True}


def test_no_secret_value_is_in_the_plan(resources):
    versions = resources["aws_secretsmanager_secret_version"]
    assert versions
    for version in versions.values():
        assert not version.get("secret_string") and not version.get("secret_binary") and not version.get("secret_string_wo")


def test_alarms_watch_dead_letters_errors_and_relays(resources, operations):
    alarms = resources["aws_cloudwatch_metric_alarm"].values()
    watched = {alarm["dimensions"]["QueueName"] for alarm in alarms if "QueueName" in (alarm["dimensions"] or {})}
    assert watched == {name for name in queues(resources) if name.endswith("-dead")}
    services = {function["environment"][0]["variables"]["PAY_SERVICE"] for function in functions(resources).values()}
    assert {alarm["metric_name"] for alarm in alarms} >= {f"{service}-errors" for service in services} | {"5xx"}
    relays = [operation for operation in operations.values() if operation["stream"]]
    assert len([alarm for alarm in alarms if alarm["metric_name"] == "IteratorAge"]) == len(relays)
    assert all(alarm["treat_missing_data"] == "notBreaching" for alarm in alarms)
    runs = [
        query["metric"][0]["metric_name"]
        for alarm in alarms
        for query in alarm["metric_query"] or []
        if query["metric"] and "StateMachineArn" in query["metric"][0]["dimensions"]
    ]
    machines = len(resources.get("aws_sfn_state_machine", {}))
    assert sorted(runs) == ["ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"] * machines


# What is written into a function's log: by Lambda when it dies, and by the function itself.
CRASHES = [
    "2026-11-22T10:15:30.123Z 8f507cfc-0000-4000-8000-000000000000 Task timed out after 20.00 seconds",
    "RequestId: 8f507cfc-0000-4000-8000-000000000000 Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
    "INIT_REPORT Init Duration: 12.34 ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError",
]
OURS = [json.dumps({"level": "INFO", "cause": words}, separators=(",", ":")) for words in ("Task timed out", "Runtime exited", "Runtime.", '"level":"ERROR"')]
FINE = ["START RequestId: 8f507cfc Version: 3", "REPORT RequestId: 8f507cfc\tDuration: 3 ms", "INIT_START Runtime Version: provided:al2023.v35\tRuntime Version ARN: x"]


def test_what_a_line_quotes_rings_no_alarm_and_every_crash_does(resources, operations):
    filters = [one for one in resources["aws_cloudwatch_log_metric_filter"].values()]
    of_ours = [one["pattern"] for one in filters if one["pattern"].startswith("{")]
    of_crashes = [one["pattern"] for one in filters if not one["pattern"].startswith("{")]
    assert of_ours == ['{ $.level = "ERROR" }'] * len(operations)
    assert len(of_crashes) == len(operations) and len(set(of_crashes)) == 1
    crash = re.compile(of_crashes[0].strip("%"))
    assert not re.search(r"[()]", crash.pattern), "CloudWatch knows no groups"
    assert all(crash.search(line) for line in CRASHES)
    assert not any(crash.search(line) for line in OURS + FINE)


# --- the state machine: its file is read as it is, since a plan fills in what only a deployment knows

EXPRESS_SECONDS = 300  # AWS ends an Express execution then
# Errors that pass by themselves: two codes of ours, what Lambda's own troubles are called, and a function that died.
TRANSIENT = {
    "temporarily_unavailable", "internal_error", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException", "Lambda.TooManyRequestsException", "Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout",
    "States.Timeout",
}


def states(processor, path=(), express=False):
    """Every state of a machine or of a map in it: where it is, itself, and whether it runs in an Express child."""
    for name, state in processor["States"].items():
        yield (*path, name), state, express
        if inner := state.get("ItemProcessor"):
            of_child = express or inner["ProcessorConfig"].get("ExecutionType") == "EXPRESS"
            yield from states(inner, (*path, name), of_child)


@pytest.fixture(scope="module")
def machine():
    return json.loads((Path(__file__).resolve().parents[1] / "settlement.asl.json").read_text())


def step_of(task):
    assert task["Resource"] == "arn:aws:states:::lambda:invoke"  # neither .sync nor .waitForTaskToken, which Express does not know
    placeholder = re.fullmatch(r"\$\{(\w+)\}", task["Arguments"]["FunctionName"]).group(1)
    assert task["Arguments"]["Payload"]["step"] == f"settlement.{placeholder}"
    return f"settlement.{placeholder}"


def test_the_machine_names_the_operations_that_are_steps_and_its_role_calls_nothing_else(resources, operations, machine):
    steps = {name: operation for name, operation in operations.items() if operation["step"]}
    if not steps:
        assert "aws_sfn_state_machine" not in resources
        return
    assert {step_of(state) for _, state, _ in states(machine) if state["Type"] == "Task"} == set(steps)
    granted = grants(resources, "pay-settlement-machine")
    called = {resource.split(":function:")[1] for action, resource in granted if action.startswith("lambda:")}
    assert called == {f"pay-settlement-{operation['name']}:live" for operation in steps.values()}
    of_states = {(action, resource.split(":", 5)[5]) for action, resource in granted if action.startswith("states:")}
    assert of_states == {("states:StartExecution", "stateMachine:pay-settlement")} | {
        (f"states:{verb}Execution", f"execution:pay-settlement{which}") for verb in ("Describe", "Stop") for which in (":*", "/*")
    }


def test_the_machine_is_standard_and_logs_failures_without_their_data(resources):
    for made in resources.get("aws_sfn_state_machine", {}).values():
        assert made["type"] == "STANDARD"
        logging = made["logging_configuration"][0]
        assert (logging["level"], logging["include_execution_data"]) == ("ERROR", False)
        groups = {group["name"] for group in resources["aws_cloudwatch_log_group"].values()}
        assert f"/aws/vendedlogs/states/{made['name']}" in groups


def test_only_operations_that_name_a_machine_may_start_it(resources, operations):
    for name, operation in operations.items():
        granted = grants(resources, f"pay-{operation['service']}-{operation['name']}")
        started = {(action, resource.split(":", 5)[5]) for action, resource in granted if action.startswith("states:")}
        wanted = {("states:StartExecution", f"stateMachine:pay-{machine}") for machine in operation["workflows"]}
        wanted |= {("states:DescribeExecution", f"execution:pay-{machine}:*") for machine in operation["workflows"]}
        assert started == wanted, name


def test_a_task_waits_longer_than_its_function_may_take_and_ends_before_its_child_does(operations, machine):
    for path, state, express in states(machine):
        if state["Type"] == "Task":
            if step := operations.get(step_of(state)):
                assert state["TimeoutSeconds"] >= step["timeout_s"], path
            assert not express or state["TimeoutSeconds"] < EXPRESS_SECONDS, path
        # A child waits for nothing: whatever takes long is the parent's to wait for.
        assert not express or state["Type"] != "Wait", path


def test_only_what_passes_by_itself_is_tried_again(machine):
    for path, state, _ in states(machine):
        for retrier in state.get("Retry", []):
            assert set(retrier["ErrorEquals"]) <= TRANSIENT, path
            assert retrier["JitterStrategy"] == "FULL" and retrier["BackoffRate"] > 1, path
            assert 0 < retrier["MaxAttempts"] < 10 and 0 < retrier["MaxDelaySeconds"] <= 60, path
        assert state["Type"] != "Task" or state["Retry"], path


def test_maps_say_how_many_at_once_and_no_list_of_franchises_goes_through_the_parent(machine):
    maps = {path[-1]: state for path, state, _ in states(machine) if state["Type"] == "Map"}
    assert all(0 < state["MaxConcurrency"] <= 40 for state in maps.values())
    distributed = [state for state in maps.values() if state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"]
    assert [state["Items"] for state in distributed] == [list(range(16))]
    assert [(state["ToleratedFailurePercentage"], state["Output"]) for state in distributed] == [(100, {})]


def test_one_franchises_failure_is_caught_where_it_happens(machine):
    for path, state, _ in states(machine):
        if state["Type"] == "Task" and "SettleFranchises" in path:
            assert [catcher["ErrorEquals"] for catcher in state["Catch"]] == [["States.ALL"]], path


def test_every_state_says_why_it_is_there(machine):
    assert all(state["Comment"].endswith(".") for _, state, _ in states(machine))


def test_an_idle_month_is_cheap(resources):
    """`make bench-idle` prints it line by line, and docs/cost.md says what it is made of. This plan has a dashboard for
    each service, which only who asks for them pays."""
    dashboards = {address: one for address, one in resources["aws_cloudwatch_dashboard"].items() if "service-" not in address}
    usual = {**resources, "aws_cloudwatch_dashboard": dashboards}
    for line in idle_cost.month(usual):
        print(line)
    assert len(dashboards) == 2 and idle_cost.most(usual) <= IDLE_DOLLARS



def test_a_canary_per_function_is_taken_back_by_the_alarms_of_its_service(resources, operations):
    groups = {group["deployment_group_name"]: group for group in resources["aws_codedeploy_deployment_group"].values()}
    assert set(groups) == {f"pay-{operation['service']}-{operation['name']}" for operation in operations.values()}
    alarms = {alarm["alarm_name"]: alarm for alarm in resources["aws_cloudwatch_metric_alarm"].values()}
    for operation in operations.values():
        group = groups[f"pay-{operation['service']}-{operation['name']}"]
        assert group["app_name"] == f"pay-{operation['service']}"
        assert {"DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"} <= set(group["auto_rollback_configuration"][0]["events"])
        asked = group["alarm_configuration"][0]
        assert asked["enabled"] and f"pay-{operation['service']}-errors" in asked["alarms"]
        minutes = int(re.search(r"(\d+)Minutes", group["deployment_config_name"]).group(1))
        assert all(alarms[name]["period"] * alarms[name]["evaluation_periods"] < minutes * 60 for name in asked["alarms"])



def test_a_budget_warns_and_an_archive_keeps_every_fact(resources):
    [budget] = resources["aws_budgets_budget"].values()
    assert (budget["limit_amount"], budget["time_unit"]) == ("50", "MONTHLY")
    assert budget["cost_filter"][0]["values"] == ["user:system$pay"]  # as Cost Explorer writes a tag
    assert {one["notification_type"] for one in budget["notification"]} == {"FORECASTED", "ACTUAL"}
    assert all(one["subscriber_email_addresses"] == ["costs@pay.example"] for one in budget["notification"])
    [archive] = resources["aws_cloudwatch_event_archive"].values()
    assert json.loads(archive["event_pattern"]) == {"source": [{"prefix": "pay."}]}
    assert archive["retention_days"] >= 30
