"""Rotates the keys that sign access tokens, now: `make rotate-keys [TIMES=1]`.

A rotation moves up only a key that was published for two hours (`keyPublishedSeconds` of membership), because gateways
may keep the published set that long. docs/runbook.md says when to set that to 0 and rotate three times.
"""

from functools import partial

from rich.console import Console

from system.cloud import wait_until

console = Console(highlight=False)
PATIENCE_SECONDS = 300
# A secret may be rotated again when the rotation before has ended, which shows in its stages a moment later.
PAUSE_SECONDS = 2


def begin(running):
    """Begins a rotation; the version of the secret that it will make current."""
    name = running.outputs["secrets"]["signing-keys"]
    return running.cloud.client("secretsmanager").rotate_secret(SecretId=name)["VersionId"]


def rotate(running, times):
    for _ in range(times):
        before = ids(running)
        version = begin(running)
        failure = "the rotation does not end: the log of membership.rotateSigningKey says why"
        wait_until(partial(is_current, running, version), PATIENCE_SECONDS, failure, PAUSE_SECONDS)
        after = ids(running)
        moved = "moved up" if after != before else "nothing changed: the next key is not published for long enough"
        console.print(f"{moved}: {', '.join(f'{place} {kid}' for place, kid in after.items())}")


def is_current(running, version):
    secret = running.cloud.client("secretsmanager").describe_secret(SecretId=running.outputs["secrets"]["signing-keys"])
    return "AWSCURRENT" in secret["VersionIdsToStages"].get(version, ())


def ids(running):
    """Key ids, which are public. The keys themselves are shown nowhere."""
    return running.call("membership.ensureSigningKey", {})
