"""Deployments to AWS: what would change, what it costs and whom it breaks, then the apply, then the canary.

A deployment of one service is a whole plan, in which every other service is pinned to what is deployed: its artifact by
hash, its operations by the table that the last deployment left in the artifacts bucket. So nothing else of the code
moves, and Terraform still sees everything (`-target` would not, and its dependencies would take other services along).
What is not a service's own, such as a changed .tf file, is in every plan.
"""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import boto3
from botocore.config import Config
from rich.console import Console

from release import idle_cost
from system import aliases, terraform
from system.cloud import ROOT, CloudError

console = Console(highlight=False)

# What would be lost with these can only come back from a backup, if there is one.
KEEPS_SOMETHING = {
    "aws_cloudwatch_event_bus", "aws_codedeploy_deployment_group", "aws_dynamodb_table", "aws_lambda_alias",
    "aws_secretsmanager_secret", "aws_sfn_state_machine", "aws_sqs_queue",
}

# Where it shows that a variable was left out whose default is nothing.
EMPTIED = {"aws_cloudwatch_metric_alarm": "alarm_actions", "aws_iam_role": "permissions_boundary"}


class Deployment:
    """One stack on AWS, and what is to become of it."""

    def __init__(self, bucket, region, name, architecture, variables=None, service=None):
        if not bucket:
            raise CloudError("STATE_BUCKET= names the S3 bucket that keeps Terraform's state")
        self.target = terraform.Stack.aws(bucket, region, name)
        self.region, self.name, self.service = region, name, service
        self.architecture = "x86_64" if architecture == "x86-64" else "arm64"
        self.files = [f"-var-file={Path(variables).resolve()}"] if variables else []
        self.plan_file = self.target.folder / "plan.tfplan"
        self.target.init()

    def client(self, name):
        # A deployment asks a hundred functions in a row; AWS throttles that.
        patient = Config(retries={"mode": "adaptive", "max_attempts": 10})
        return boto3.client(name, region_name=self.region, config=patient)

    def deployed(self, outputs):
        """The table of operations that the last deployment left; none before the first."""
        if "artifacts_bucket" not in outputs:
            return None
        kept = self.client("s3").get_object(Bucket=outputs["artifacts_bucket"], Key="operations.json")
        return json.loads(kept["Body"].read())

    def plan(self):
        """Plans into a file and prints what a person has to know. Returns whether anything speaks against it."""
        outputs = self.target.outputs()
        deployed = self.deployed(outputs)
        wanted = released(terraform.table())
        pins = {}
        if self.service:
            if deployed is None:
                raise CloudError("nothing is deployed yet: the first deployment is of everything, without SERVICE=")
            wanted = with_only(self.service, wanted, deployed)
            pins = {name: artifact for name, artifact in outputs["artifacts"].items() if name != self.service}
        table = self.target.folder / "operations.json"
        table.write_text(json.dumps(wanted, indent=2, sort_keys=True))
        values = {"region": self.region, "name": self.name, "architecture": self.architecture,
                  "operations_file": str(table), "pins": pins}
        settings = self.target.folder / "deployment.tfvars.json"
        settings.write_text(json.dumps(values))
        code = self.target.interactively(
            "plan", "-input=false", f"-out={self.plan_file}", *self.files, f"-var-file={settings}"
        )
        if code != 0:
            raise CloudError("there is no plan, see above")
        shown = json.loads(self.target.quietly("show", "-json", str(self.plan_file)))
        console.print(cost(shown))
        lost = losses(shown)
        for address in lost:
            console.print(f"[red]would be destroyed: {address}[/red]")
        forgotten = emptied(shown, os.environ)
        for variable in forgotten:
            console.print(f"[red]would be emptied: {variable}; was VARIABLES= left out?[/red]")
        bases = {service["release"] for service in (deployed or {"services": {}})["services"].values() if "release" in service}
        return compatible(sorted(bases) if deployed else None) and not lost and not forgotten

    def apply(self, *, unasked=False):
        # The deployed table names a commit, with which the next deployment is compared.
        if git("status", "--porcelain"):
            raise CloudError("there are changes that are not committed: what is deployed must have a name")
        if not self.plan():
            raise CloudError("nothing was deployed: see docs/deployments.md for what may be done about the above")
        if not unasked and input(f"Deploy {self.service or 'everything'} to {self.name}? Only yes is yes: ") != "yes":
            raise CloudError("nothing was deployed")
        if self.target.interactively("apply", "-input=false", str(self.plan_file)) != 0:
            raise CloudError("the apply failed; nothing new is live")
        outputs = self.target.outputs()
        moved = aliases.Aliases(outputs, self.client, console.print).make_live(self.service, outputs["canary"])
        console.print(f"{moved} functions serve a new version")


def released(table):
    """The table with the commit that each service's part of it comes from."""
    commit = git("rev-parse", "HEAD")
    for service in table["services"].values():
        service["release"] = commit
    return table


def git(*arguments):
    said = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if said.returncode != 0:
        raise CloudError(f"git {arguments[0]}: {said.stderr.strip()}")
    return said.stdout.strip()


def with_only(service, wanted, deployed):
    """The deployed table with one service as it is wanted."""
    if service not in wanted["services"]:
        raise CloudError(f"there is no service {service}")
    operations = {name: one for name, one in deployed["operations"].items() if one["service"] != service}
    operations |= {name: one for name, one in wanted["operations"].items() if one["service"] == service}
    needed = {(name, other) for name, one in operations.items() for other in one["calls"] + one["enqueues"]}
    if missing := sorted({other for _, other in needed if other not in operations}):
        raise CloudError(f"{service} cannot be deployed alone: not deployed yet, or no longer there, is {', '.join(missing)}")
    return {"services": {**deployed["services"], service: wanted["services"][service]}, "operations": operations}


def compatible(bases):
    """What it breaks, compared with what is deployed, or, before the first deployment, with nothing."""
    if bases is None:
        console.print("compatibility: nothing is deployed yet")
        return True
    named = [argument for base in bases for argument in ("--base", base)]
    command = ["cargo", "run", "--quiet", "--package", "compatibility", "--", *named]
    return subprocess.run(command, cwd=ROOT).returncode == 0


def cost(plan):
    """What an idle month costs before and after, as the composition's tests count it."""
    before = idle_cost.most(idle_cost.resources_of(plan.get("prior_state", {}).get("values", {})))
    after = idle_cost.most(idle_cost.resources_of(plan["planned_values"]))
    return f"an idle month: {before:.2f} dollars now, {after:.2f} then ({after - before:+.2f})"


def losses(plan):
    """What would be destroyed, or made anew, of that which keeps something, unless docs/compatibility.toml names it."""
    meant = excused("would be destroyed")
    return sorted(
        change["address"] for change in plan.get("resource_changes", [])
        if "delete" in change["change"]["actions"] and change["type"] in KEEPS_SOMETHING and change["address"] not in meant
    )


def emptied(plan, environment):
    """Variables that the stack was deployed with and this plan goes without, unless docs/compatibility.toml names them."""
    bank = plan.get("output_changes", {}).get("bank_url", {})
    found = {"bank_endpoint"} if bank.get("before") and bank.get("after") == "" else set()
    for resource in plan.get("resource_changes", []):
        before, after = resource["change"].get("before"), resource["change"].get("after")
        attribute = EMPTIED.get(resource["type"])
        if before and after and before.get(attribute) and not after.get(attribute):
            found.add(attribute)
        # Written anew, the bank's key is a random one unless it is given.
        if before and after and resource["address"] == "aws_secretsmanager_secret_version.bank[0]":
            if "create" in resource["change"]["actions"] and not environment.get("TF_VAR_bank_api_key"):
                found.add("bank_api_key")
    return sorted(found - excused("would be emptied"))


def excused(what):
    """What docs/compatibility.toml says is meant."""
    excuses = tomllib.loads((ROOT / "docs/compatibility.toml").read_text()).get("break", [])
    return {excuse["subject"] for excuse in excuses if excuse["what"] == what}
