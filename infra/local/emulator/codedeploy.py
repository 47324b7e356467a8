"""A stand-in for CodeDeploy in the local cloud, which has none: a canary of Lambda aliases, and its roll-back.

It knows the three actions that system/aliases.py calls, and does what AWS does with an alias: the new version gets a part
of the calls, and after some minutes all, unless something fails meanwhile. AWS asks alarms; there are none here, so it
counts the errors in the function's log, by the pattern and the threshold of the alarm (modules/function, alarms.tf), or
the invocations that failed, if they are more: what dies before it begins leaves a line in the log on AWS and none here.
"""

import json
import re
import threading
import time
import uuid
from collections import Counter

ERRORS_ALLOWED = 5
ERROR = re.compile(r'^\{.*"level":"ERROR"|^[A-Z0-9].*(Task timed out|Runtime exited|Runtime\.)')
TARGET = b"CodeDeploy_20141006."
LOOK_SECONDS = 1


class CodeDeploy:
    def __init__(self, client):
        """`client` makes AWS clients by name."""
        self.client = client
        self.deployments = {}
        self.failures = Counter()

    def answer(self, action, said):
        """The status and body of one call."""
        try:
            return 200, getattr(self, {"CreateDeployment": "create", "BatchGetDeployments": "get", "StopDeployment": "stop"}[action])(said)
        except KeyError as error:
            return 400, {"__type": "DeploymentDoesNotExistException", "message": f"unknown: {error}"}

    def create(self, said):
        resource = next(iter(json.loads(said["revision"]["appSpecContent"]["content"])["Resources"][0].values()))
        found = re.fullmatch(r"CodeDeployDefault\.LambdaCanary(\d+)Percent(\d+)Minutes", said["deploymentConfigName"])
        share, minutes = int(found.group(1)) / 100, int(found.group(2))
        deployment = f"d-{uuid.uuid4().hex[:9].upper()}"
        self.deployments[deployment] = {"deploymentId": deployment, "status": "InProgress"}
        arguments = (self.deployments[deployment], resource["Properties"], share, minutes * 60)
        threading.Thread(target=self.run, args=arguments, daemon=True).start()
        return {"deploymentId": deployment}

    def get(self, said):
        known = [self.deployments[one] for one in said["deploymentIds"]]
        return {"deploymentsInfo": [{name: value for name, value in one.items() if name != "stop"} for one in known]}

    def stop(self, said):
        self.deployments[said["deploymentId"]]["stop"] = True
        return {"status": "Pending"}

    def run(self, state, alias, share, seconds):
        functions = self.client("lambda")
        names = {"FunctionName": alias["Name"], "Name": alias["Alias"]}
        began, failed = time.time(), self.failures[alias["Name"]]
        functions.update_alias(**names, FunctionVersion=alias["CurrentVersion"],
                               RoutingConfig={"AdditionalVersionWeights": {alias["TargetVersion"]: share}})
        while time.time() < began + seconds:
            errors = max(self.errors(alias["Name"], began), self.failures[alias["Name"]] - failed)
            if state.get("stop") or errors > ERRORS_ALLOWED:
                functions.update_alias(**names, FunctionVersion=alias["CurrentVersion"], RoutingConfig={"AdditionalVersionWeights": {}})
                why = "it was stopped" if state.get("stop") else f"{errors} errors, {ERRORS_ALLOWED} are allowed"
                state["rollbackInfo"] = {"rollbackMessage": why}
                state["status"] = "Stopped"
                return
            time.sleep(LOOK_SECONDS)
        functions.update_alias(**names, FunctionVersion=alias["TargetVersion"], RoutingConfig={"AdditionalVersionWeights": {}})
        state["status"] = "Succeeded"

    def errors(self, function, since):
        pages = self.client("logs").get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", startTime=int(since * 1000)
        )
        return sum(1 for page in pages for event in page["events"] if ERROR.search(event["message"]))
