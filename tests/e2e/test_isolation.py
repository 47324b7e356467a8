"""IAM keeps services and operations apart: a function reaches its own table and what its operation lists, no more.

A role may be assumed by Lambda only, so a probe role is given each function's own policy in turn and assumed
instead; the local cloud enforces policies as AWS does.
"""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from system import terraform

OPERATIONS = terraform.table()["operations"]
PROBE = "e2e-probe"
# These actions know no resource (AWS's Service Authorization Reference).
WITHOUT_RESOURCE = {"dynamodb:ListStreams", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.fixture(scope="module")
def probe(world):
    """Gives clients with the rights of one operation's function."""
    iam, sts = world.client("iam"), world.client("sts")
    account = sts.get_caller_identity()["Account"]
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
    }]}
    arn = iam.create_role(RoleName=PROBE, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    session = sts.assume_role(RoleArn=arn, RoleSessionName="probe")["Credentials"]
    keys = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    clients = {
        name: boto3.client(name, endpoint_url=world.cloud.endpoint, region_name="us-east-1", **keys)
        for name in ("dynamodb", "secretsmanager", "lambda", "sqs", "events")
    }

    def as_function(operation):
        policy = iam.get_role_policy(RoleName=world.outputs["functions"][operation], PolicyName="operation")["PolicyDocument"]
        iam.put_role_policy(RoleName=PROBE, PolicyName="operation", PolicyDocument=json.dumps(policy))
        return clients

    yield as_function
    iam.delete_role_policy(RoleName=PROBE, PolicyName="operation")
    iam.delete_role(RoleName=PROBE)


def is_denied(call):
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDeniedException", "AccessDenied"), error
        return True
    return False


KEY = {"pk": {"S": "x"}, "sk": {"S": "x"}}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_function_reaches_only_what_its_operation_lists(world, probe, operation):
    declared = OPERATIONS[operation]
    clients = probe(operation)
    dynamodb = clients["dynamodb"]
    for service, table in world.outputs["tables"].items():
        own = set(declared["table"]) if service == declared["service"] else set()
        calls = {
            "read": [
                lambda: dynamodb.get_item(TableName=table, Key=KEY),
                lambda: dynamodb.query(
                    TableName=table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "x"}}
                ),
            ],
            "write": [
                # A condition that never holds: the right to write is asked, and nothing is written.
                lambda: condition_fails(lambda: dynamodb.put_item(
                    TableName=table, Item=KEY, ConditionExpression="attribute_exists(pk)"
                )),
                lambda: dynamodb.delete_item(TableName=table, Key=KEY),
            ],
            "scan": [lambda: dynamodb.scan(TableName=table, Limit=1)],
        }
        for right, attempts in calls.items():
            for attempt in attempts:
                assert is_denied(attempt) == (right not in own), f"{operation}: {right} of {service}'s table"


def condition_fails(call):
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_function_reads_only_the_secrets_of_its_operation(world, probe, operation):
    declared = OPERATIONS[operation]["secrets"]
    clients = probe(operation)
    for name, arn in world.outputs["secrets"].items():
        denied = is_denied(lambda: clients["secretsmanager"].get_secret_value(SecretId=arn))  # noqa: B023
        assert denied == (name not in {*declared["read"], *declared["write"]}), name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_function_sends_and_publishes_only_what_its_operation_lists(world, probe, operation):
    declared = OPERATIONS[operation]
    iam = world.client("iam")
    probe(operation)
    account = world.client("sts").get_caller_identity()["Account"]
    source = f"arn:aws:iam::{account}:role/{PROBE}"
    region = world.outputs["region"]

    def may(action, *resources):
        results = iam.simulate_principal_policy(
            PolicySourceArn=source, ActionNames=[action], ResourceArns=list(resources)
        )["EvaluationResults"]
        return {result["EvalResourceName"] for result in results if result["EvalDecision"] == "allowed"}

    functions = world.outputs["functions"]
    arns = {f"arn:aws:lambda:{region}:{account}:function:{name}:live": full for full, name in functions.items()}
    allowed = set().union(*(may("lambda:InvokeFunction", arn) for arn in arns))
    assert {arns[arn] for arn in allowed} == set(declared["calls"])

    queues = {f"arn:aws:sqs:{region}:{account}:{functions[full]}": full for full in world.outputs["queues"]}
    allowed = set().union(*(may("sqs:SendMessage", arn) for arn in queues))
    assert {queues[arn] for arn in allowed} == set(declared["enqueues"])

    dead = {
        f"arn:aws:sqs:{region}:{account}:{url.rsplit('/', 1)[-1]}": service
        for service, url in world.outputs["dead_letter_queues"].items()
    }
    allowed = set().union(*(may("sqs:SendMessage", arn) for arn in dead))
    # Lambda leaves there, in the function's name, a relay's records and a scheduled run that it gives up.
    gives_up = declared["stream"] or declared["schedule"] is not None
    assert {dead[arn] for arn in allowed} == ({declared["service"]} if gives_up else set())

    bus = f"arn:aws:events:{region}:{account}:event-bus/{world.outputs['bus']}"
    assert bool(may("events:PutEvents", bus)) == declared["publishes"]


def statements(world, role):
    for name in world.client("iam").list_role_policies(RoleName=role)["PolicyNames"]:
        document = world.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        yield from document["Statement"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_function_has_a_role_of_its_own_without_wildcards(world, operation):
    name = world.outputs["functions"][operation]
    configuration = world.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    assert configuration["Role"].endswith(f":role/{name}")
    attached = world.client("iam").list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached == []
    for statement in statements(world, name):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        assert not any("*" in action for action in actions), statement
        for resource in resources:
            if resource == "*":
                assert set(actions) <= WITHOUT_RESOURCE, statement
            elif "*" in resource:
                # A log group's streams, a table's own indexes, and the executions of the machine that it starts.
                logs, runs = f":log-group:/aws/lambda/{name}:*", f":execution:{world.outputs['name']}-settlement:*"
                assert resource.endswith((logs, "/index/*", runs)), statement


def test_only_lambda_may_assume_a_functions_role(world):
    for name in world.outputs["functions"].values():
        document = world.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        assert [statement["Principal"] for statement in document["Statement"]] == [{"Service": "lambda.amazonaws.com"}]


def test_internal_operations_have_no_route(world):
    """Neither their names nor their queues can be reached through the gateway."""
    internal = [name.split(".")[1] for name, operation in OPERATIONS.items() if operation["access"] == "internal"]
    for name in internal:
        assert OPERATIONS[next(full for full in OPERATIONS if full.endswith(f".{name}"))]["routes"] == []
        assert world.api.post(f"/v1/{name}", {}).status_code == 404
