"""Rotates the keys that sign access tokens, now: `make rotate-keys [TIMES=1]`.

A rotation moves up only a key that was published for two hours (`keyPublishedSeconds` of membership), because gateways
may keep the published set that long. docs/runbook.md says when to set that to 0 and rotate three times.
"""

from rich.console import Console

from system.cloud import wait_until

console = Console(highlight=False)
PATIENCE_SECONDS = 300
# A secret may be rotated again when the rotation before has ended, which shows in its stages a moment later.
PAUSE_SECONDS = 2


def rotate(running, times):
    secrets, name = running.cloud.client("secretsmanager"), running.outputs["secrets"]["signing-keys"]
    for _ in range(times):
        before = ids(running)
        version = secrets.rotate_secret(SecretId=name)["VersionId"]

        def is_through(version=version):
            return "AWSCURRENT" in secrets.describe_secret(SecretId=name)["VersionIdsToStages"].get(version, ())

        failure = "the rotation does not end: the log of membership.rotateSigningKey says why"
        wait_until(is_through, PATIENCE_SECONDS, failure, PAUSE_SECONDS)
        after = ids(running)
        moved = "moved up" if after != before else "nothing changed: the next key is not published for long enough"
        console.print(f"{moved}: {', '.join(f'{place} {kid}' for place, kid in after.items())}")


def ids(running):
    """Key ids, which are public. The keys themselves are shown nowhere."""
    return running.call("membership.ensureSigningKey", {})
