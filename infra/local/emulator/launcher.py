"""The process that is the local cloud: ministack, pinned, with the few repairs that it needs.

Only system/cloud.py starts it. Each repair below names what AWS does and ministack 1.5.33 does not; all of
them are here, in local tooling, so that the product never knows which cloud it runs in. Beside AWS's
own paths it serves /_pay/instance (which process is this?), /_pay/docs/ (Swagger UI) and /_pay/troubles
(what is to go wrong on purpose: fault_injection.py).
"""

import asyncio
import json
import mimetypes
import os
import random
import signal
import socketserver
import threading
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

import boto3
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import lambda_runtime
from ministack.services import apigateway, lambda_svc, secretsmanager, stepfunctions

import codedeploy
from fault_injection import Troubles, is_stream_batch

INSTANCE = os.environ["PAY_CLOUD_INSTANCE"]
OPENAPI = Path(os.environ["PAY_CLOUD_OPENAPI"])
PORT = int(os.environ["GATEWAY_PORT"])
ENDPOINT = f"http://127.0.0.1:{PORT}"
KEY_CACHE_SECONDS = 5
# Longer than clients keep a connection that they do not use (AWS's SDKs for Go and Rust: 90 s). If hypercorn closes it
# just as a request comes, the request is carried out and its answer lost; a repeated CreateAlias is then a conflict.
KEEP_ALIVE_SECONDS = 3600


def answer_invocations_at_once():
    """The runtime API writes headers and body apart, and Nagle's algorithm holds the body back 40 ms."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def forget_signing_keys_soon():
    """ministack keeps an issuer's keys for two hours, even an empty set; a reset or a test cannot wait."""
    fetch = apigateway._fetch_jwks

    async def fetch_briefly(url):
        keys = await fetch(url)
        cached = apigateway._jwks_cache[url]
        cached["expiresAt"] = min(cached["expiresAt"], time.time() + KEY_CACHE_SECONDS)
        return keys

    apigateway._fetch_jwks = fetch_briefly


def retry_failed_stream_records():
    """AWS retries a stream batch from the record that a function reports as failed.

    ministack takes such an answer for success and loses the records. Failing the whole batch makes it
    come again: more than AWS repeats, but at least once, which is what consumers are built for.
    """
    execute = lambda_svc._execute_function

    def execute_and_look(function, event):
        result = execute(function, event)
        answer = result.get("body")
        if is_stream_batch(event) and isinstance(answer, dict) and answer.get("batchItemFailures"):
            partial = {"errorType": "PartialBatch", "errorMessage": json.dumps(answer)}
            return {**result, "error": True, "body": partial}
        return result

    lambda_svc._execute_function = execute_and_look


def describe_token_authorizers_like_aws():
    """AWS knows no result cache and no payload version for JWT authorizers; Terraform would undo them for ever."""
    create = apigateway._create_authorizer

    def create_plain(api_id, data):
        answer = create(api_id, data)
        for authorizer in apigateway._authorizers.get(api_id, {}).values():
            if authorizer["authorizerType"] == "JWT":
                authorizer.pop("authorizerPayloadFormatVersion", None)
                authorizer.pop("authorizerResultTtlInSeconds", None)
        return answer

    apigateway._create_authorizer = create_plain


def create_empty_secrets_empty():
    """On AWS a secret made without a value has no version, and reading it answers ResourceNotFoundException."""
    create = secretsmanager._create_secret

    def create_without_version(data):
        answer = create(data)
        _, secret = secretsmanager._resolve(data.get("Name"))
        if secret is not None and "SecretString" not in data and "SecretBinary" not in data and answer[0] == 200:
            secret["Versions"].clear()
        return answer

    secretsmanager._create_secret = create_without_version


def rotate_secrets():
    """ministack's RotateSecret promotes a copy and calls nobody; AWS makes four calls to the function."""

    def rotate(data):
        _, secret = secretsmanager._resolve(data.get("SecretId"))
        if secret is None:
            return secretsmanager.error_response_json("ResourceNotFoundException", "No such secret.", 400)
        secret["RotationLambdaARN"] = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
        secret["RotationRules"] = data.get("RotationRules") or secret.get("RotationRules")
        secret["RotationEnabled"] = True
        version = data.get("ClientRequestToken") or str(uuid.uuid4())
        if data.get("RotateImmediately", True):
            for other in secret["Versions"].values():
                other["Stages"] = [stage for stage in other["Stages"] if stage != "AWSPENDING"]
            pending = {"SecretString": None, "SecretBinary": None, "CreatedDate": int(time.time())}
            secret["Versions"][version] = {**pending, "Stages": ["AWSPENDING"]}
            steps = (secret["RotationLambdaARN"], secret["ARN"], version)
            threading.Thread(target=rotation_steps, args=steps, daemon=True).start()
        answer = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": version}
        return secretsmanager.json_response(answer)

    secretsmanager._rotate_secret = rotate


def client(name):
    """A client of this very cloud."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(name, endpoint_url=ENDPOINT, region_name="us-east-1", **keys)


def rotation_steps(function, secret, version):
    functions = client("lambda")
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        event = {"Step": step, "SecretId": secret, "ClientRequestToken": version}
        answer = functions.invoke(FunctionName=function, Payload=json.dumps(event))
        if "FunctionError" in answer:
            print(f"rotation of {secret} stopped at {step}: {answer['Payload'].read()}", flush=True)
            return


def route_calls_by_the_weights_of_aliases():
    """An alias may give a part of its calls to a second version; ministack keeps the weights and sends all to the first."""
    invoke, find = lambda_svc._invoke, lambda_svc._effective_func_record_for_qualifier

    def version_of(function, qualifier):
        alias = ((function or {}).get("aliases") or {}).get(qualifier) or {}
        for version, weight in ((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}).items():
            if random.random() < weight:
                return version
        return qualifier

    async def invoke_by_weight(name, event, headers, path_qualifier=None, query_params=None):
        qualifier = path_qualifier or lambda_svc._qp_first(query_params or {}, "Qualifier")
        return await invoke(name, event, headers, version_of(lambda_svc._functions.get(name), qualifier), query_params)

    def find_by_weight(function, qualifier):
        return find(function, version_of(function, qualifier))

    lambda_svc._invoke = invoke_by_weight
    lambda_svc._effective_func_record_for_qualifier = find_by_weight


def tell_of_failed_invocations(deployments):
    """CloudWatch counts a function's failures; the stand-in for CodeDeploy is told of them."""
    execute = lambda_svc._execute_function

    def execute_and_tell(function, event):
        result = execute(function, event)
        if isinstance(result, dict) and result.get("error"):
            deployments.failures[(function.get("config") or function)["FunctionName"]] += 1
        return result

    lambda_svc._execute_function = execute_and_tell


class Frame:
    """Serves our own few paths and hands everything else to ministack."""

    def __init__(self, inner, troubles, deployments):
        self.inner = inner
        self.troubles = troubles
        self.swagger = Path(find_spec("swagger_ui").origin).parent / "static"
        self.deployments = deployments

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith("/_pay/"):
            said = await read_body(receive)
            status, kind, body = self.answer(scope["path"].removeprefix("/_pay/"), scope["method"], said)
            headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        action = dict(scope.get("headers", [])).get(b"x-amz-target", b"")
        if scope["type"] == "http" and action.startswith(codedeploy.TARGET):
            said = json.loads(await read_body(receive))
            status, answer = self.deployments.answer(action.removeprefix(codedeploy.TARGET).decode(), said)
            body = json.dumps(answer).encode()
            headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        if scope["type"] == "http" and scope["path"].startswith("/_aws/execute-api/"):
            # What a proxy on the way would see: a test looks for personal data in it.
            print(f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}", flush=True)
        await self.inner(self.as_signed(scope), receive, send)

    def as_signed(self, scope):
        """A proxy between functions and cloud names the cloud `localhost`. What it passes on was signed for its own address."""
        if scope["type"] != "http" or (b"host", f"localhost:{PORT}".encode()) not in scope["headers"]:
            return scope
        signed_for = self.troubles.endpoint.removeprefix("http://").encode()
        headers = [(name, signed_for if name == b"host" else value) for name, value in scope["headers"]]
        return {**scope, "headers": headers}

    def answer(self, path, method, said):
        if path == "instance":
            return 200, "text/plain", INSTANCE.encode()
        if path == "troubles":
            return 200, "application/json", self.troubles.answer(method, said)
        if path == "openapi.json":
            return 200, "application/json", self.openapi()
        if path in ("docs", "docs/"):
            return 200, "text/html; charset=utf-8", PAGE.encode()
        asset = self.swagger / Path(path).name
        if path.startswith("docs/") and asset.is_file():
            return 200, mimetypes.guess_type(asset.name)[0] or "text/plain", asset.read_bytes()
        return 404, "text/plain", b"not found"

    def openapi(self):
        if not OPENAPI.is_file():
            return b'{"openapi": "3.1.0", "info": {"title": "Pay: run make generate", "version": "0"}, "paths": {}}'
        description = json.loads(OPENAPI.read_text())
        description["servers"] = [{"url": f"{ENDPOINT}/_aws/execute-api/pay"}]
        return json.dumps(description).encode()


async def read_body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Pay</title>
<link rel="stylesheet" href="/_pay/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/_pay/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/_pay/openapi.json", dom_id: "#ui", persistAuthorization: true})</script>
</body></html>"""


def read_streams_from_where_they_begin():
    """ministack keeps a stream reader's position over a restart, but not the records that it counts.

    The position would then lie past the end of the new, empty stream, and new records would be skipped.
    """
    restore = lambda_svc._restore_esm_positions

    def restore_others(positions, kept):
        if positions is not lambda_svc._dynamodb_stream_positions:
            restore(positions, kept)

    lambda_svc._restore_esm_positions = restore_others


def run_distributed_maps_by_jsonata():
    """A Distributed Map in JSONata: ministack knows its Items, ItemSelector, Output and Assign in JSONPath only.

    On AWS a child also sees no variable of its parent, and has an execution and an input of its own.
    """
    run_map, run_states = stepfunctions._run_distributed_map, stepfunctions._run_sub_machine

    def run_map_by_jsonata(state, given, effective, processor, execution, context):
        if stepfunctions._state_query_language(state, context) != "JSONata":
            return run_map(state, given, effective, processor, execution, context)
        items = stepfunctions._jsonata_state_field(state, "Items", "array", given, context)
        if selector := state.get("ItemSelector"):
            maps = [{"Item": {"Index": index, "Value": item}} for index, item in enumerate(items)]
            items = [stepfunctions._apply_jsonata_template(selector, given, {**context, "Map": one}) for one in maps]
        selected = {name: value for name, value in state.items() if name != "ItemSelector"}
        results, following = run_map(selected, given, items, processor, execution, context)
        stepfunctions._apply_state_assign(state, given, context, result=results)
        return stepfunctions._apply_jsonata_output(state, given, context, result=results, default=results), following

    def run_states_of_child(states, first, given, execution, context):
        if "mapRunArn" in execution and not execution.get("isOpen"):
            execution["isOpen"] = True
            own = {"Id": execution["executionArn"], "Name": execution["name"], "Input": given}
            context = {**context, "variables": {}, "Execution": {**context["Execution"], **own}}
        return run_states(states, first, given, execution, context)

    stepfunctions._run_distributed_map = run_map_by_jsonata
    stepfunctions._run_sub_machine = run_states_of_child


def stop_children_with_their_execution():
    """On AWS a stopped execution's children stop too; ministack's go on to their end. Here they take no further step."""
    execute = stepfunctions._execute_task

    def execute_unless_stopped(state, given, execution, context):
        if "mapRunArn" in execution:
            parent = stepfunctions._map_runs[execution["mapRunArn"]]["executionArn"]
            if stepfunctions._executions[parent]["status"] != "RUNNING":
                raise stepfunctions._ExecutionError("States.TaskFailed", "the execution was stopped")
        return execute(state, given, execution, context)

    stepfunctions._execute_task = execute_unless_stopped


def keep_tracing_of_state_machines():
    """ministack forgets whether a state machine is traced, and Terraform would set it again for ever."""
    create, update = stepfunctions._create_state_machine, stepfunctions._update_state_machine

    def keep(data):
        for machine in stepfunctions._state_machines.values():
            is_meant = machine["name"] == data.get("name") or machine["stateMachineArn"] == data.get("stateMachineArn")
            if is_meant and "tracingConfiguration" in data:
                machine["tracingConfiguration"] = data["tracingConfiguration"]

    def create_and_keep(data):
        answer = create(data)
        keep(data)
        return answer

    def update_and_keep(data):
        answer = update(data)
        keep(data)
        return answer

    stepfunctions._create_state_machine = create_and_keep
    stepfunctions._update_state_machine = update_and_keep


async def main(troubles):
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.graceful_timeout = 2
    config.loglevel = "WARNING"
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    # Hypercorn runs ministack's shutdown after the signal, which is where the state is written.
    deployments = codedeploy.CodeDeploy(client)
    tell_of_failed_invocations(deployments)
    await serve(Frame(ministack.app, troubles, deployments), config, shutdown_trigger=stopped.wait)
    lambda_runtime.reset()


if __name__ == "__main__":
    answer_invocations_at_once()
    forget_signing_keys_soon()
    retry_failed_stream_records()
    describe_token_authorizers_like_aws()
    create_empty_secrets_empty()
    rotate_secrets()
    route_calls_by_the_weights_of_aliases()
    read_streams_from_where_they_begin()
    run_distributed_maps_by_jsonata()
    stop_children_with_their_execution()
    keep_tracing_of_state_machines()
    troubles = Troubles()
    troubles.install()
    asyncio.run(main(troubles))
