"""The commands behind the Makefile's targets. `make help` lists them."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo import first_money, tracing_example
from operate import dead_letters, logs, replay as replays, restore as restoring, signing_keys, tracing
from operate.audit import audited
from operate.settle import settle_day
from release import deploy, idle_cost
from system import aliases, aws, build, people, programs, terraform
from system.client import System, depth, succeed
from system.cloud import KEYS, LOCAL, ROOT, Cloud, CloudError, free_port, wait_until
from system.settings import CHAOS_CLOUD, CHAOS_SETTINGS, TEST_SETTINGS

console = Console(highlight=False)


def up(cloud, what=build.FUNCTIONS, canary="", **variables):
    """Builds, starts and deploys, saying how long each step took.

    A busy machine can lose the answer to a creation; Terraform's provider then asks again, is told that the thing is there,
    and will be told so for ever. While nothing has ever been deployed to this cloud, it is begun anew, once.
    """
    try:
        come_up(cloud, what, canary, **variables)
    except CloudError as error:
        if (cloud.folder / "outputs.json").exists():
            raise
        console.print(f"{error}\n[bold]▸ once more, on a new local cloud[/bold]")
        cloud.reset()
        come_up(cloud, what, canary, **variables)


def come_up(cloud, what, canary, **variables):
    with timed("build (development profile)"):
        build.for_this_machine(terraform.artifacts(cloud), what)
    with timed("local cloud"):
        cloud.start()
    with timed("deployment") as notes:
        changed = terraform.deploy_locally(cloud, canary, **variables)
        notes.append("nothing to do" if changed is None else f"{changed} resources changed")


class timed:
    def __init__(self, what):
        self.what = what

    def __enter__(self):
        console.print(f"[bold]▸ {self.what}[/bold]")
        self.began = time.monotonic()
        self.notes = []
        return self.notes

    def __exit__(self, kind, *_):
        if kind is None:
            notes = "".join(f", {note}" for note in self.notes)
            console.print(f"  [dim]done in {time.monotonic() - self.began:.0f} s{notes}[/dim]")


def run(options):
    cloud = Cloud(options.cloud)
    if not (terraform.artifacts(cloud).exists() and (cloud.folder / "outputs.json").exists()):
        console.print("The first build takes about 10 minutes on two cores; later starts take seconds.")
    up(cloud)
    demo(options)
    invite(connect(options), people.known(cloud)[-1])


def demo(options):
    cloud = Cloud(options.cloud)
    console.print("[bold]▸ the story of first money[/bold]")
    told = first_money.tell(connect(options, first_money.Storyteller()))
    kept = [{name: value for name, value in person.items() if name != "token"} for person in told]
    people.keep(cloud, people.known(cloud) + kept)


def invite(running, person):
    """What to try next: addresses, credentials and three lines to paste."""
    api = running.outputs["api_url"]
    token = people.log_in(running, person)
    console.print(f"\n[bold]Pay is running.[/bold]  API [cyan]{api}[/cyan]  Swagger [cyan]{running.outputs['endpoint']}/_pay/docs/[/cyan]")
    console.print(f"Log in as [cyan]{person['email']}[/cyan] with the password [cyan]{person['password']}[/cyan]\n")
    authorized = f"-H 'Authorization: Bearer {token}'"
    wallet = f"{api}/v1/money/wallets/{person['membershipId']}"
    credentials = json.dumps({"email": person["email"], "password": person["password"]})
    for line in (
        f"curl -s {api}/v1/auth/login -H 'Content-Type: application/json' -d '{credentials}'",
        f"curl -s {wallet}/balance {authorized}",
        f"curl -s '{wallet}/transactions?limit=5' {authorized}",
    ):
        print(line + "\n")
    console.print("[dim]make help lists what else there is; make stop ends it and keeps the data.[/dim]")


def status(options):
    if options.cloud != aws.NAME and not Cloud(options.cloud).is_running():
        console.print(f"The local cloud '{options.cloud}' is not running: make run")
        return
    running = connect(options)
    cloud = running.cloud
    console.print(f"API      {running.outputs['api_url']}")
    if "endpoint" in running.outputs:
        console.print(f"Swagger  {running.outputs['endpoint']}/_pay/docs/\nLog      {cloud.log}")
    tables = cloud.client("dynamodb")
    for service, name in running.outputs["tables"].items():
        # Exact where a look costs nothing; AWS counts for itself every six hours.
        count = (tables.describe_table(TableName=name)["Table"]["ItemCount"] if options.cloud == aws.NAME
                 else tables.scan(TableName=name, Select="COUNT")["Count"])
        console.print(f"Table    {name}: {count} items of {service}")
    listing, queues = Table("queue", "waiting", "in work"), cloud.client("sqs")
    for name, url in sorted(running.outputs["queues"].items()):
        listing.add_row(name, *(str(count) for count in depth(queues, url)))
    console.print(listing)
    dead = dead_letters.counts(running)
    for name, count in dead.items():
        console.print(f"[red]{count} dead letters of {name}[/red]: make redrive gives them another chance")
    if not dead:
        console.print("no dead letters")


def token(options):
    """An access token of a member of the story, or of the operator of this machine."""
    running = connect(options)
    known = {person["email"]: person for person in people.known(running.cloud)}
    if options.who == "operator":
        person = people.operator(running)
    elif options.who in known:
        person = known[options.who]
    else:
        raise CloudError("AS= is 'operator' or one of: " + ", ".join(known))
    print(people.log_in(running, person))


def operator(options):
    name = "membership.revokeOperator" if options.revoke else "membership.grantOperator"
    print(json.dumps(connect(options).call(name, {"email": options.email}), indent=2))


def bank(options):
    answer = connect(options).bank.set_mode(options.account, options.mode)
    print(json.dumps(succeed(answer), ensure_ascii=False, indent=2))


def redrive(options):
    """Gives dead letters another chance: messages, missed schedules, and, by republishing, what a relay gave up."""
    for name, moved in dead_letters.redrive(connect(options)).items():
        console.print(f"{name}: {moved} redriven")
    console.print("done")


def sweep(options):
    """Does at once what schedules do every hour: whatever is not final is advanced, and the bank is asked."""
    running = connect(options)
    for name, operation in terraform.table()["operations"].items():
        if operation["queue"] and operation["schedule"] and name != "money.auditLedger":
            console.print(f"{name}: {json.dumps(running.call(name, {}))}", markup=False)


def rotate_keys(options):
    signing_keys.rotate(connect(options), options.times)


def replay(options):
    """Brings facts of a time out of the archive once more."""
    replays.replay(connect(options), options.since, options.until, options.only)


def restore(options):
    """A table as it was, beside the one that lives; what that lacks is put back."""
    running = connect(options)
    if options.switch:
        restoring.switch(running, options.service, options.at)
    else:
        restoring.restore(running, options.service, options.at, put=options.put, drop=options.drop)


def republish(options):
    published, skipped = dead_letters.republish(connect(options), options.service, options.since)
    console.print(f"{options.service}: {published} facts published again")
    tell_of_skipped(skipped)


def tell_of_skipped(items):
    if items:
        console.print(f"[red]{items} items cannot be read[/red], and their facts are missing: the ERROR lines name them")


def audit(options):
    """Checks the ledger's invariants over all tables and the corporate account at the bank; fails if something is found."""
    if not audited(connect(options)):
        sys.exit(1)


def settle(options):
    """Settles a day as an operator does, prints the execution's history as it grows, and then the run."""
    if not settle_day(connect(options), options.day):
        sys.exit(1)


def load(options):
    """Moves customers over the API for some minutes, checks their books, and then audits everything."""
    audit_after(options, "loadtest.load", *bounds_of(options), seed=options.seed)


def bounds_of(options):
    return "--minutes", options.minutes, "--clients", options.clients


def chaos(options):
    """Everything goes wrong on a fresh cloud of its own; it is left running if something is found, to be looked at."""
    cloud = fresh(CHAOS_CLOUD)
    faults = ["--faults"] if options.faults else []
    end(cloud, programs.run("loadtest.chaos", "--cloud", cloud.name, *bounds_of(options), *faults, seed=options.seed))


def demo_faults(options):
    """Tells the story of first money again and again, on a fresh cloud whose AWS is faulty, and then audits everything."""
    cloud = fresh(CHAOS_CLOUD)
    end(cloud, programs.run("demo.demo_faults", "--cloud", cloud.name, "--times", options.times, seed=options.seed))


def fresh(name):
    cloud = Cloud(name)
    cloud.reset()
    up(cloud, settings=CHAOS_SETTINGS)
    return cloud


def end(cloud, code):
    if code == 0:
        cloud.stop()
    else:
        console.print(f"The cloud is left running to be looked at: {sys.argv[0]} --cloud {cloud.name} status, logs, audit, stop")


def fuzz(options):
    """What openapi.json allows and forbids, by each kind of caller; then the audit of what that has left."""
    audit_after(options, "security.fuzz", "--examples", options.examples, "--only", options.only, seed=options.seed)


def rotation(options):
    """Rotates the signing keys under load."""
    audit_after(options, "security.rotation", "--rotations", options.rotations)


def audit_after(options, module, *arguments, seed=None):
    """Runs a program on the running cloud, and then the audit."""
    running = connect(options)
    code = programs.run(module, "--cloud", running.cloud.name, *arguments, seed=seed)
    with timed("audit of what that has left"):
        if not audited(running):
            code = code or 1
    sys.exit(code)


def rebuild_read_model(options):
    """Builds money-query's model anew from the facts, and waits until it answers. The old one answers meanwhile."""
    running = connect(options)
    name = "money-query.rebuildReadModel"
    wanted = running.call(name, {"task": "begin"})["building"]
    began = time.monotonic()
    console.print(f"generation {wanted} is being built; facts are read when everybody knows of it, in some minutes")
    failure = f"generation {wanted} does not answer after {options.minutes} minutes: make status"
    wait_until(lambda: running.call(name, {"task": "look"})["live"] >= wanted, options.minutes * 60, failure, pause=2)
    console.print(f"generation {wanted} answers, after {time.monotonic() - began:.0f} s")
    tell_of_skipped(running.call(name, {"task": "look"})["skipped"])


def show_logs(options):
    logs.show(connect(options), options.minutes, options.trace, follow=options.follow)


def trace(options):
    """The whole story of an id, read from the logs: operate/tracing.py."""
    running = connect(options)
    try:
        client, name = running.cloud.client("logs"), running.outputs["name"]
        tracing.run(client, name, options.id, options.minutes, picture=options.mermaid, without_ids=options.neutral)
    except tracing.NoStory as error:
        raise CloudError(str(error)) from None


def trace_example(options):
    tracing_example.tell(connect(options), picture=options.mermaid)


def invoke(options):
    running = connect(options)
    name = running.operation(options.function)
    payload = Path(options.payload) if options.payload else example(name)
    answer, error = running.invoke(name, json.loads(payload.read_text()))
    console.print(f"[dim]{name} with {payload.relative_to(ROOT) if payload.is_relative_to(ROOT) else payload}[/dim]")
    print(json.dumps(answer, ensure_ascii=False, indent=2))
    if error:
        raise CloudError(f"the function failed: {error}")


def example(name):
    found = sorted((ROOT / "events").rglob(f"{name.split('.')[1]}.json"))
    if not found:
        raise CloudError(f"events/ has no payload for {name}: give one with PAYLOAD=file.json")
    return found[0]


def watch(options):
    """Points every function of the running cloud at `cargo lambda watch`, until it is interrupted."""
    cloud = Cloud(options.cloud)
    up(cloud)
    port = free_port()
    up(cloud, watch_url=f"http://127.0.0.1:{port}")
    outputs = terraform.outputs(cloud)
    account = outputs["queue_base"]
    # One environment serves all functions here; each service states only its own facts anyway.
    services = terraform.table()["services"]
    published = sorted(fact for service in services.values() for fact in service["publishes"])
    environment = {
        **os.environ,
        "PATH": f"{LOCAL / 'venv/bin'}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_REGION": outputs["region"],
        **KEYS,
        "PAY_PREFIX": outputs["name"],
        "PAY_BUS": outputs["bus"],
        "PAY_QUEUES": account,
        "PAY_WORKFLOWS": outputs["workflows_base"],
        "PAY_ISSUER": outputs["api_url"],
        "PAY_BANK_ENDPOINT": outputs["bank_url"],
        "PAY_PUBLISHED": ",".join(published),
    }
    command = ["cargo", "lambda", "watch", "--package", "bootstrap", "-A", "127.0.0.1", "-P", str(port)]
    console.print("Edit, save, call: every function now runs from the sources. Ctrl-C ends it.")
    try:
        subprocess.run(command, cwd=ROOT, env=environment)
    except KeyboardInterrupt:
        pass
    finally:
        up(cloud)


def stop(options):
    cloud = Cloud(options.cloud)
    console.print("stopped; the data is kept" if cloud.stop() else "it was not running")


def reset(options):
    Cloud(options.cloud).reset()
    console.print("stopped, and its data is gone")


def bring_up(options):
    up(Cloud(options.cloud))
    print(Cloud(options.cloud).folder / "outputs.json")


def validate(options):
    """Terraform's own checks with the real provider: the format, and that the composition fits it."""
    check = terraform.Stack(LOCAL / "validate", "", {})
    if check.interactively("fmt", "-check", "-recursive", "-diff") != 0:
        raise CloudError("terraform fmt would change these files: make fmt")
    bootstrap = terraform.Stack(LOCAL / "validate-bootstrap", "", {}, terraform.COMPOSITION / "bootstrap")
    for one in (check, bootstrap):
        one.quietly("init", "-backend=false", "-input=false")
        console.print(one.quietly("validate", "-no-color").strip())


def test(options):
    """End to end on a fresh local cloud, which is ended afterwards however the tests end."""
    cloud = Cloud(options.cloud)
    cloud.reset()
    try:
        up(cloud, build.WITH_TESTS, settings=TEST_SETTINGS)
        with timed("plan, for the composition's tests"):
            as_on_aws = {
                "alarms": True, "dashboards": "services", "saved_queries": True,
                "budget": {"dollars": 50, "emails": ["costs@pay.example"]}, "canary": "CodeDeployDefault.LambdaCanary10Percent10Minutes",
            }
            plan_file = terraform.Stack.local(cloud).plan_as_json(as_on_aws)
        environment = {
            **os.environ,
            "PAY_CLOUD": cloud.name,
            "PAY_OUTPUTS": str(cloud.folder / "outputs.json"),
            "PAY_PLAN": str(plan_file),
        }
        chosen = ["infra/local/tests", "infra/terraform/tests", "tests/e2e"]
        command = [sys.executable, "-m", "pytest", "-q", "--durations=5", *(options.tests or chosen)]
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
        with timed("audit of what the tests have left"):
            if not audited(connect(options)):
                code = code or 1
    finally:
        cloud.stop()
    sys.exit(code)


def bench_idle(_):
    """What a month costs in which nobody calls."""
    with timed("plan against an empty cloud"):
        lines = idle_cost.month(idle_cost.resources_of(idle_cost.plan()["planned_values"]))
    console.print(idle_cost.listing(lines))


def build_release(options):
    build.for_aws(options.architecture, options.service)


def deployment(options):
    return deploy.Deployment(options.bucket, options.region, options.name, options.architecture, options.variables, options.service)


def plan(options):
    if not deployment(options).plan():
        raise CloudError("this cannot be deployed as it is: see docs/deployments.md")


def deploy_to_aws(options):
    deployment(options).apply(unasked=options.yes)


def rollback(options):
    """A service's functions back at the versions that were live before, on AWS or, without a bucket, on this machine."""
    if options.bucket:
        found = deployment(options)
        moves = aliases.Aliases(found.target.outputs(), found.client, console.print).roll_back(options.service)
    else:
        cloud = Cloud(options.cloud)
        moves = aliases.Aliases(terraform.outputs(cloud), cloud.client, console.print).roll_back(options.service)
    for move in moves:
        console.print(f"{move.operation}: version {move.was} → {move.to}")
    console.print(f"{options.service}: {len(moves)} functions serve what they served before, until a newer version is deployed")


def canary(options):
    """Deploys what has changed to the running local cloud as AWS does it: by a canary, taken back if it fails."""
    cloud = Cloud(options.cloud)
    up(cloud, canary=f"CodeDeployDefault.LambdaCanary{options.percent}Percent{options.minutes}Minutes")


def connect(options, listener=None):
    if options.cloud == aws.NAME:
        found = aws.outputs()
        return System(aws.Aws(found["region"]), found, listener)
    cloud = Cloud(options.cloud)
    return System(cloud, terraform.outputs(cloud), listener)


def commands():
    parser = argparse.ArgumentParser(prog="pay", description=__doc__)
    parser.add_argument("--cloud", default="run", help="which local cloud: run, or test")
    verbs = parser.add_subparsers(required=True)

    def verb(name, action, *arguments):
        command = verbs.add_parser(name)
        command.set_defaults(action=action)
        for flag, extra in arguments:
            command.add_argument(flag, **extra)

    for name, action in (("run", run), ("up", bring_up), ("demo", demo), ("status", status), ("redrive", redrive),
                         ("watch", watch), ("stop", stop), ("reset", reset), ("validate", validate)):
        verb(name, action)
    verb("test", test, ("tests", {"nargs": "*"}))
    verb("token", token, ("who", {}))
    verb("operator", operator, ("email", {}), ("--revoke", {"action": "store_true"}))
    verb("bank", bank, ("account", {}), ("mode", {}))
    verb("audit", audit)
    verb("settle", settle, ("--day", {}))
    bounds = (("--minutes", {"type": float, "default": 10}), ("--clients", {"type": int, "default": 8}), ("--seed", {"type": int}))
    verb("load", load, *bounds)
    verb("chaos", chaos, *bounds, ("--faults", {"action": "store_true"}))
    verb("demo-faults", demo_faults, ("--times", {"type": int, "default": 10}), ("--seed", {"type": int}))
    verb("fuzz", fuzz, ("--examples", {"type": int, "default": 50}), ("--seed", {"type": int}), ("--only", {"default": ""}))
    verb("rotation", rotation, ("--rotations", {"type": int, "default": 2}))
    verb("sweep", sweep)
    verb("rotate-keys", rotate_keys, ("--times", {"type": int, "default": 1}))
    verb("replay", replay, ("since", {}), ("--until", {}), ("--only", {}))
    flag = {"action": "store_true"}
    verb("restore", restore, ("service", {}), ("at", {}), ("--put", flag), ("--drop", flag), ("--switch", flag))
    verb("republish", republish, ("service", {}), ("--since", {}))
    verb("rebuild-read-model", rebuild_read_model, ("--minutes", {"type": float, "default": 60}))
    verb("logs", show_logs, ("--minutes", {"type": float, "default": 15}), ("--trace", {}), ("--follow", {"action": "store_true"}))
    verb("trace", trace, ("id", {}), ("--minutes", {"type": float, "default": 24 * 60}), ("--mermaid", {"action": "store_true"}),
         ("--neutral", {"action": "store_true"}))
    verb("trace-example", trace_example, ("--mermaid", {"action": "store_true"}))
    verb("invoke", invoke, ("function", {}), ("--payload", {}))
    verb("bench-idle", bench_idle)
    aws = (("--bucket", {}), ("--region", {"default": "us-east-1"}), ("--name", {"default": "pay"}),
           ("--architecture", {"default": "arm64"}), ("--variables", {}))
    verb("build", build_release, ("--architecture", {"default": "arm64"}), ("--service", {}))
    verb("plan", plan, ("--service", {}), *aws)
    verb("deploy", deploy_to_aws, ("--service", {}), ("--yes", {"action": "store_true"}), *aws)
    verb("rollback", rollback, ("service", {}), *aws)
    verb("canary", canary, ("--percent", {"type": int, "default": 10}), ("--minutes", {"type": int, "default": 1}))
    return parser


def main():
    options = commands().parse_args()
    try:
        options.action(options)
    except CloudError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
