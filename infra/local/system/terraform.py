"""Terraform: the same composition for a local cloud and for AWS, with other variables and another state."""

import glob
import hashlib
import json
import os
import subprocess
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from system import aliases
from system.cloud import KEYS, LOCAL, REGION, ROOT, CloudError
from system.settings import SETTINGS

COMPOSITION = ROOT / "infra/terraform"
STATE_BUCKET = "pay-terraform-state"
FINGERPRINT = "pay-deployed"
PROVIDER = "registry.terraform.io/hashicorp/aws"


class Stack:
    """One state of the composition. `folder` holds what Terraform keeps beside it."""

    def __init__(self, folder, backend, environment, composition=COMPOSITION):
        self.folder = folder
        self.composition = composition
        self.backend = backend
        self.environment = {
            **os.environ,
            **environment,
            "TF_CLI_CONFIG_FILE": str(provider_configuration()),
            "TF_DATA_DIR": str(folder / "terraform"),
            "TF_IN_AUTOMATION": "1",
        }

    @classmethod
    def local(cls, cloud):
        return cls(cloud.folder, local_backend(cloud), {**KEYS, "AWS_SESSION_TOKEN": ""})

    @classmethod
    def aws(cls, bucket, region, name):
        lines = [f'bucket = "{bucket}"', f'key = "{name}.tfstate"', f'region = "{region}"']
        return cls(LOCAL / "aws", "\n".join([*lines, "use_lockfile = true", "encrypt = true"]), {})

    def command(self, *arguments):
        return ["terraform", f"-chdir={self.composition}", *arguments]

    def init(self):
        """Runs `terraform init`, unless nothing that it depends on has changed since the last time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "backend.hcl"
        settings.write_text(self.backend)
        inputs = [settings, COMPOSITION / "versions.tf", COMPOSITION / "main.tf", provider_configuration()]
        wanted = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
        done = self.folder / "initialized"
        if done.exists() and done.read_text() == wanted:
            return
        self.quietly("init", "-input=false", "-reconfigure", f"-backend-config={settings}")
        done.write_text(wanted)

    def quietly(self, *arguments):
        run = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise CloudError(f"terraform {arguments[0]} failed:\n{run.stdout[-2000:]}\n{run.stderr[-4000:]}")
        return run.stdout

    def apply(self, variables):
        """Applies with a progress bar; returns the number of changed resources and the outputs."""
        self.init()
        file = self.folder / "pay.tfvars.json"
        file.write_text(json.dumps(variables, indent=2))
        process = subprocess.Popen(
            self.command("apply", "-json", "-auto-approve", "-input=false", "-parallelism=60", f"-var-file={file}"),
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        changed, outputs = follow(process.stdout, self.folder / "apply.log")
        if process.wait() != 0:
            raise CloudError(f"terraform apply failed; all that it said is in {self.folder / 'apply.log'}")
        return changed, outputs

    def plan_as_json(self, changes):
        """Plans what was deployed with some variables changed, and returns the plan as a JSON file."""
        shown = self.folder / "plan.json"
        shown.write_text(json.dumps(self.plan({**json.loads((self.folder / "pay.tfvars.json").read_text()), **changes})))
        return shown

    def plan(self, variables):
        """What would be there with these variables, as `terraform show -json` tells it."""
        file, plan = self.folder / "plan.tfvars.json", self.folder / "plan.tfplan"
        file.write_text(json.dumps(variables))
        self.quietly("plan", "-input=false", "-parallelism=60", f"-var-file={file}", f"-out={plan}")
        return json.loads(self.quietly("show", "-json", str(plan)))

    def outputs(self):
        said = json.loads(self.quietly("output", "-json"))
        return {name: output["value"] for name, output in said.items()}

    def interactively(self, *arguments):
        return subprocess.run(self.command(*arguments), env=self.environment).returncode


def table():
    """The table of operations, as `make generate` writes it."""
    return json.loads((COMPOSITION / "operations.json").read_text())


def artifacts(cloud):
    """Where the zips of a cloud's functions are: the clouds may run different builds."""
    return LOCAL / "artifacts" / cloud.name


def deploy_locally(cloud, canary="", **variables):
    """Brings the cloud to what the composition says, or sees that it is there already.

    Returns the number of changed resources, or None where nothing had to be looked at.
    """
    values = {
        "endpoint": cloud.endpoint,
        "artifacts": str(artifacts(cloud)),
        "architecture": "x86_64" if os.uname().machine in ("x86_64", "amd64") else "arm64",
        "bank_simulator": True,
        "cors_origins": ["*"],
        "tracing": "Active",
        "alarms": False,
        "dashboards": "none",
        "saved_queries": False,
        "canary": "",
        "log_retention_days": 7,
        "settings": SETTINGS,
        "tables": json.loads(tables_file(cloud).read_text()) if tables_file(cloud).exists() else {},
        **variables,
    }
    wanted = fingerprint(values)
    if deployed_fingerprint(cloud) == wanted:
        return None
    changed, outputs = Stack.local(cloud).apply(values)
    kept = {"endpoint": cloud.endpoint, "log": str(cloud.log), **outputs}
    (cloud.folder / "outputs.json").write_text(json.dumps(kept, indent=2))
    aliases.Aliases(kept, cloud.client).make_live(canary=canary)
    cloud.client("ssm").put_parameter(Name=FINGERPRINT, Value=wanted, Type="String", Overwrite=True)
    return changed


def tables_file(cloud):
    """Which restored tables have taken the place of lost ones in this cloud: they are not forgotten by the next `make run`."""
    return cloud.folder / "tables.json"


def fingerprint(values):
    """Everything that a deployment depends on. It is kept in the cloud, so it is lost where the cloud is."""
    files = sorted(path for path in COMPOSITION.rglob("*") if path.suffix in (".tf", ".json") and ".terraform" not in path.parts)
    artifacts = sorted(Path(values["artifacts"]).rglob("bootstrap.zip"))
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for path in [*files, *artifacts]:
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def deployed_fingerprint(cloud):
    parameters = cloud.client("ssm")
    try:
        return parameters.get_parameter(Name=FINGERPRINT)["Parameter"]["Value"]
    except parameters.exceptions.ParameterNotFound:
        return None


def outputs(cloud):
    kept = cloud.folder / "outputs.json"
    if not kept.exists():
        raise CloudError("nothing is deployed yet: `make run` first")
    if not cloud.is_running():
        raise CloudError("the local cloud is not running: `make run` first")
    return json.loads(kept.read_text())


def local_backend(cloud):
    """The state lives in the local cloud's own S3, so that cloud and state are kept and reset together."""
    buckets = cloud.client("s3")
    if STATE_BUCKET not in [bucket["Name"] for bucket in buckets.list_buckets()["Buckets"]]:
        buckets.create_bucket(Bucket=STATE_BUCKET)
    return "\n".join([
        f'bucket = "{STATE_BUCKET}"',
        'key = "pay.tfstate"',
        f'region = "{REGION}"',
        f'endpoints = {{ s3 = "{cloud.endpoint}" }}',
        *(f"{name} = true" for name in (
            "use_path_style", "skip_credentials_validation", "skip_requesting_account_id",
            "skip_metadata_api_check", "skip_region_validation", "skip_s3_checksum",
        )),
    ])


def provider_configuration():
    """Writes the project's own Terraform CLI configuration: a provider mirror, if the machine has one.

    With a mirror the registry is not asked at all, so that an offline machine works too.
    """
    configuration = LOCAL / "terraform.rc"
    mirror = provider_mirror()
    if mirror is None:
        text = "provider_installation {\n  direct {}\n}\n"
    else:
        text = (
            "provider_installation {\n"
            f'  filesystem_mirror {{\n    path    = "{mirror}"\n    include = ["{PROVIDER}"]\n  }}\n'
            f'  direct {{\n    exclude = ["{PROVIDER}"]\n  }}\n}}\n'
        )
    if not configuration.exists() or configuration.read_text() != text:
        LOCAL.mkdir(exist_ok=True)
        configuration.write_text(text)
    return configuration


def provider_mirror():
    given = os.environ.get("TF_PLUGIN_DIR")
    usual = [
        "~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/share/terraform/*",
        "/usr/local/share/terraform/*", "/opt/*", "/opt/*/*", "/var/lib/terraform/*",
    ]
    places = ([given] if given else []) + [place for pattern in usual for place in glob.glob(os.path.expanduser(pattern))]
    return next((place for place in places if (Path(place) / PROVIDER).is_dir()), None)


def follow(lines, log):
    """Turns Terraform's machine-readable output into a bar; errors are shown in full."""
    columns = (TextColumn("terraform apply"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    changed, outputs = 0, {}
    with log.open("w") as record, Progress(*columns) as progress:
        task = progress.add_task("comparing", total=None)
        for line in lines:
            record.write(line)
            message = json.loads(line)
            kind = message["type"]
            if kind == "change_summary" and message["changes"]["operation"] == "plan":
                changes = message["changes"]
                changed = changes["add"] + changes["change"] + changes["remove"]
                progress.update(task, total=changed, completed=0)
            elif kind == "apply_complete" and message["hook"]["action"] != "read":
                progress.update(task, advance=1, description=message["hook"]["resource"]["addr"].split(".")[-1][:40])
            elif kind == "outputs":
                outputs = {name: output["value"] for name, output in message["outputs"].items() if "value" in output}
            elif kind == "diagnostic" and message["diagnostic"]["severity"] == "error":
                where = message["diagnostic"].get("address", "")
                progress.console.print(f"[red]{where} {message['diagnostic']['summary']}[/red]\n{message['diagnostic']['detail']}", highlight=False)
    return changed, outputs
