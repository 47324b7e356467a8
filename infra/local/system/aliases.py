"""Makes new versions live, and takes them back.

Terraform publishes versions and leaves the alias `live` alone. Here the alias moves: at once, or, where there is a
canary, through CodeDeploy, one deployment per function and all of them together. If one is taken back, all are. What was
live before is noted in the alias's description, so that a roll-back needs nothing but AWS.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from system.cloud import CloudError, wait_until

ALIAS = "live"
AT_ONCE = 16
POLL_SECONDS = 5
MOST_SECONDS = 3600
VERSIONS_KEPT = 5
MOST_AT_ONCE = 25  # deployments that CodeDeploy shows in one answer
ENDED = {"Succeeded", "Failed", "Stopped"}


@dataclass(frozen=True)
class Move:
    """A function whose alias is to go from one version to another."""

    operation: str
    function: str
    was: str
    to: str

    @property
    def service(self):
        return self.operation.split(".")[0]


class Aliases:
    """The aliases of a stack. `client` makes AWS clients by name."""

    def __init__(self, outputs, client, say=print):
        self.outputs = outputs
        self.functions = client("lambda")
        self.client = client
        self.say = say

    def read(self, service=None):
        """Each operation's alias, as Lambda has it."""
        chosen = {name: function for name, function in self.outputs["functions"].items()
                  if service in (None, name.split(".")[0])}
        if not chosen:
            raise CloudError(f"there is no service {service}")

        def alias(name):
            return name, self.functions.get_alias(FunctionName=chosen[name], Name=ALIAS)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(pool.map(alias, sorted(chosen)))

    def due(self, service=None):
        """What was published and is not live. A version that was rolled back is never live again: a new one must come."""
        moves, held = [], []
        for name, alias in self.read(service).items():
            move = Move(name, self.outputs["functions"][name], alias["FunctionVersion"], self.outputs["versions"][name])
            if move.was != move.to:
                (held if noted(alias, "rolled back from") == move.to else moves).append(move)
        if held:
            self.say(f"{len(held)} functions stay where a roll-back put them, until their next version: "
                     + ", ".join(sorted({move.service for move in held})))
        return moves

    def make_live(self, service=None, canary=""):
        """Makes everything that is due live. Returns how many functions moved; fails if anything was taken back."""
        moves = self.due(service)
        if moves and canary:
            self.deploy(moves, canary)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.settle, moves))
            list(pool.map(self.forget_old_versions, moves))
        return len(moves)

    def settle(self, move, note="before"):
        """The alias at its version, whole. After a canary that is where it is already, and only the note is new."""
        self.functions.update_alias(
            FunctionName=move.function, Name=ALIAS, FunctionVersion=move.to,
            Description=f"{note} {move.was}", RoutingConfig={"AdditionalVersionWeights": {}},
        )

    def forget_old_versions(self, move):
        """Lambda keeps the code of every version, 75 GB a region at most: the newest few are kept, and what was live."""
        pages = self.functions.get_paginator("list_versions_by_function").paginate(FunctionName=move.function)
        versions = sorted(int(one["Version"]) for page in pages for one in page["Versions"] if one["Version"] != "$LATEST")
        for version in versions[:-VERSIONS_KEPT]:
            if str(version) not in (move.was, move.to):
                self.functions.delete_function(FunctionName=move.function, Qualifier=str(version))

    def roll_back(self, service):
        """The service's functions at the versions that were live before their last deployment."""
        moves = []
        for name, alias in self.read(service).items():
            if weights := alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
                raise CloudError(f"{name} is in a canary with {weights}: stop its deployment, which takes it back")
            before = noted(alias, "before")
            if before and before != alias["FunctionVersion"]:
                moves.append(Move(name, self.outputs["functions"][name], alias["FunctionVersion"], before))
        if not moves:
            raise CloudError(f"nothing of {service} has another version that was live before")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda move: self.settle(move, "rolled back from"), moves))
        return moves

    # --- canary

    def deploy(self, moves, configuration):
        """CodeDeploy moves all of them; whatever goes wrong, all are back where they were."""
        client = self.client("codedeploy")
        self.say(f"canary of {len(moves)} functions ({', '.join(sorted({move.service for move in moves}))}): {configuration}")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.note, moves))
        started = {}
        try:
            for move in moves:
                started[self.begin(client, move, configuration)] = move
            states = self.wait(client, started)
        except BaseException:
            self.take_back(client, started)
            raise
        if bad := {deployment: state for deployment, state in states.items() if state["status"] != "Succeeded"}:
            for deployment, state in bad.items():
                why = state.get("errorInformation", {}).get("message") or state.get("rollbackInfo", {}).get("rollbackMessage", "")
                self.say(f"{started[deployment].operation}: {state['status']} {why}")
            self.take_back(client, started)
            raise CloudError("the canary was taken back: every function serves the version that it served before")

    def begin(self, client, move, configuration):
        content = json.dumps({
            "version": 0.0,
            "Resources": [{move.function: {"Type": "AWS::Lambda::Function", "Properties": {
                "Name": move.function, "Alias": ALIAS, "CurrentVersion": move.was, "TargetVersion": move.to,
            }}}],
        })
        made = client.create_deployment(
            applicationName=f"{self.outputs['name']}-{move.service}",
            deploymentGroupName=move.function,
            deploymentConfigName=configuration,
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
        )
        return made["deploymentId"]

    def note(self, move):
        """What is live, before anything moves: CodeDeploy goes on if this program does not."""
        self.functions.update_alias(FunctionName=move.function, Name=ALIAS, Description=f"before {move.was}")

    def wait(self, client, started):
        """Until all have ended, or one badly. Returns how those stand that have ended."""

        def outcome():
            states = standing(client, started)
            ended = {one: state for one, state in states.items() if state["status"] in ENDED}
            is_over = len(ended) == len(started) or any(state["status"] != "Succeeded" for state in ended.values())
            return ended if is_over else None

        return wait_until(outcome, MOST_SECONDS, "the canary does not end", POLL_SECONDS)

    def take_back(self, client, started):
        """Stops what goes on, which CodeDeploy takes back itself, and moves back what has ended well. Whatever fails with one
        function, the others are taken back, and this one too, when its deployment has ended by itself."""
        failed = []

        def attempt(move, action, *arguments, **named):
            try:
                action(*arguments, **named)
            except (ClientError, BotoCoreError) as error:
                # It ended while the others were being stopped.
                if "DeploymentAlreadyCompletedException" not in str(error):
                    failed.append(f"{move.operation}: {error}")

        for deployment, state in standing(client, started).items():
            if state["status"] not in ENDED:
                attempt(started[deployment], client.stop_deployment, deploymentId=deployment, autoRollbackEnabled=True)
        self.wait_until_ended(client, list(started))
        for move in started.values():
            attempt(move, self.settle, Move(move.operation, move.function, move.to, move.was), "rolled back from")
        if failed:
            raise CloudError("look at these functions' aliases, the others were taken back: " + "; ".join(failed))

    def wait_until_ended(self, client, deployments):
        """Until these have ended, and the deployments with which CodeDeploy takes them back."""
        if not deployments:
            return
        states = {}

        def have_ended():
            states.update(standing(client, deployments))
            return all(state["status"] in ENDED for state in states.values())

        failure = f"deployments do not stop: look at them in CodeDeploy: {', '.join(deployments)}"
        wait_until(have_ended, MOST_SECONDS, failure, POLL_SECONDS)
        backs = [state.get("rollbackInfo", {}).get("rollbackDeploymentId") for state in states.values()]
        self.wait_until_ended(client, [back for back in backs if back])


def standing(client, deployments):
    """How deployments stand, by id."""
    deployments, found = list(deployments), {}
    for first in range(0, len(deployments), MOST_AT_ONCE):
        some = client.batch_get_deployments(deploymentIds=deployments[first:first + MOST_AT_ONCE])["deploymentsInfo"]
        found |= {state["deploymentId"]: state for state in some}
    return found


def noted(alias, what):
    """The version that an alias's description names."""
    found = re.fullmatch(rf"{what} (\d+)", alias.get("Description") or "")
    return found and found.group(1)
