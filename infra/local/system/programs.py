"""Programs that need a process of their own: locust, for one, replaces sockets and locks before anything else is there."""

import os
import subprocess
import sys

from system.cloud import ROOT

# Where their modules are; security/ uses the people of tests/e2e/world.py.
PLACES = (ROOT / "infra/local", ROOT / "tests/e2e")


def run(module, *arguments, seed=None):
    """Runs one of these tools' modules, such as `loadtest.load`; returns how it ended."""
    seeded = [] if seed is None else ["--seed", str(seed)]
    command = [sys.executable, "-m", module, *map(str, arguments), *seeded]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PLACES))}
    return subprocess.run(command, cwd=ROOT, env=environment).returncode
