"""A table as it was at a moment, beside the one that lives: `make restore SERVICE=… AT=…`.

Point-in-time recovery makes a new table. A ledger is not set back to it: what came after that moment is money that has
moved. So the copy is compared with the living table, and what is missing or damaged is put back into that; its stream
is the outbox, and tells the facts of what comes back under their old ids. Only a table that is lost as a whole is
replaced by its copy (`switch`).
"""

import json
from collections import Counter

from rich.console import Console

from operate.replay import moment
from system import terraform
from system.cloud import CloudError, wait_until

console = Console(highlight=False)

# Written once and never again: if the living one differs, it is damaged.
FIXED = {"money": {"entry", "journalEntry"}}
# These go again in the course of things, and come back only by hand, after a look at why they went.
PASSING = {
    "banking": {"claim"},
    "membership": {"emailOwner", "loginAttempts", "session", "refreshToken"},
}
PATIENCE_SECONDS = 6 * 3600


def restore(running, service, at, *, put=False, drop=False):
    """Makes the copy if it is not there, compares, and puts back what the living table lacks, if told to."""
    if service not in running.outputs["tables"]:
        raise CloudError("SERVICE= is one of: " + ", ".join(running.outputs["tables"]))
    if service == "money-query":
        raise CloudError("a read model is not restored: make rebuild-read-model")
    live, copy = running.outputs["tables"][service], copy_of(running, service, at)
    if drop:
        running.cloud.client("dynamodb").delete_table(TableName=copy)
        console.print(f"{copy} is deleted")
        return
    make(running, live, copy, moment(at))
    found = compare(running, service, live, copy)
    show(found, live, copy)
    back = found["missing"] + found["damaged"]
    if not put:
        console.print(f"nothing was written: PUT=1 puts {len(back)} items back, DROP=1 deletes {copy}")
        return
    for item in back:
        put_back(running, live, item, is_missing=item in found["missing"])
    console.print(f"{len(back)} items put back into {live}; now make audit, and make restore … DROP=1")


def copy_of(running, service, at):
    return f"{running.outputs['name']}-{service}-at-{moment(at):%Y%m%dT%H%M%S}"


def make(running, live, copy, at):
    """Asks for the copy, and waits until it is there: minutes on AWS, whatever the size, and hours for a large one."""
    tables = running.cloud.client("dynamodb")
    try:
        tables.describe_table(TableName=copy)
    except tables.exceptions.ResourceNotFoundException:
        tables.restore_table_to_point_in_time(SourceTableName=live, TargetTableName=copy, RestoreDateTime=at)
        console.print(f"{live} as of {at.isoformat()} is being made as {copy}")
    wait_until(
        lambda: tables.describe_table(TableName=copy)["Table"]["TableStatus"] == "ACTIVE", PATIENCE_SECONDS,
        f"{copy} is not there yet: run the same command again, it goes on where it is", pause=5,
    )


def items(running, table):
    pages = running.cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


def compare(running, service, live, copy):
    """What the copy has and the living table lacks or has otherwise. What is only in the living one is newer, and stays."""
    # The copy first: what comes while the two are read is then newer, and never missing.
    then, now = items(running, copy), items(running, live)
    found = {"same": 0, "missing": [], "damaged": [], "passing": [], "changed": Counter(), "newer": len(now.keys() - then.keys())}
    for key, item in then.items():
        kind = item.get("kind", {}).get("S", "")
        if key not in now:
            passes = kind in PASSING.get(service, ()) or "expiresAt" in item
            found["passing" if passes else "missing"].append(item)
        elif now[key] == item:
            found["same"] += 1
        elif kind in FIXED.get(service, ()):
            found["damaged"].append(item)
        else:
            found["changed"][kind] += 1
    return found


def show(found, live, copy):
    console.print(f"{found['same']} items are the same in {live} and {copy}; {found['newer']} are newer than it")
    for kind, count in found["changed"].items():
        console.print(f"{count} of kind {kind} have changed since, as they do; they are left as they are")
    if found["passing"]:
        console.print(f"{len(found['passing'])} are gone that go in the course of things; they are left so")
    for what in ("missing", "damaged"):
        kinds = Counter(item.get("kind", {}).get("S", "") for item in found[what])
        for kind, count in kinds.items():
            console.print(f"[red]{count} of kind {kind} are {what}[/red]")
        for item in found[what][:10]:
            console.print(f"  {item['pk']['S']}  {item['sk']['S']}", markup=False)


def put_back(running, live, item, *, is_missing):
    """A missing item comes back only where there is still none; a damaged one is written over."""
    tables = running.cloud.client("dynamodb")
    condition = "attribute_not_exists(pk)" if is_missing else "attribute_exists(pk)"
    try:
        tables.put_item(TableName=live, Item=item, ConditionExpression=condition)
    except tables.exceptions.ConditionalCheckFailedException:
        console.print(f"{item['pk']['S']} {item['sk']['S']} came back by itself and is left as it is", markup=False)


def switch(running, service, at):
    """Lets the copy take the place of a table that is lost: under Terraform, with its stream, its reader and its grants.

    In a local cloud. On AWS the same steps are a person's, one after the other: docs/recovery.md.
    """
    if running.cloud.name == "aws":
        raise CloudError("on AWS, by hand and with two pairs of eyes: docs/recovery.md, a table that is lost as a whole")
    copy = copy_of(running, service, at)
    address = f'module.service["{service}"].aws_dynamodb_table.table'
    target = terraform.Stack.local(running.cloud)
    values = json.loads((running.cloud.folder / "pay.tfvars.json").read_text())
    tables = {**values.get("tables", {}), service: copy}
    terraform.tables_file(running.cloud).write_text(json.dumps(tables))
    file = running.cloud.folder / "restore.tfvars.json"
    file.write_text(json.dumps({**values, "tables": tables}))
    target.init()
    target.quietly("state", "rm", address)
    target.quietly("import", "-input=false", f"-var-file={file}", address, copy)
    changed = terraform.deploy_locally(running.cloud, **{**values, "tables": tables})
    console.print(f"{service} lives in {copy} now ({changed} resources changed)")
