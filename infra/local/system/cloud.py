"""Starts and stops a local cloud: one folder under .local/ with its state, its log and its port.

`run` (make run) and `test` (make test) are two clouds side by side. The port is free when the folder
is made and stays the cloud's own, because addresses of queues and the token issuer contain it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import httpx

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ROOT / ".local"
# Of every local cloud.
REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
START_SECONDS = 60
STOP_SECONDS = 60


class CloudError(Exception):
    """Something that the person at the keyboard can put right; shown without a stack trace."""


class Cloud:
    def __init__(self, name):
        self.name = name
        self.folder = LOCAL / name
        self.log = self.folder / "cloud.log"

    @property
    def port(self):
        kept = self.folder / "port"
        if not kept.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            kept.write_text(str(free_port()))
        return int(kept.read_text())

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, service):
        return boto3.client(service, endpoint_url=self.endpoint, **credentials())

    def is_running(self):
        """Whether the listener on our port is the process that we started, not just any listener."""
        kept = self.folder / "instance"
        if not kept.exists():
            return False
        try:
            answer = httpx.get(f"{self.endpoint}/_pay/instance", timeout=10)
        except httpx.HTTPError:
            return False
        return answer.text == kept.read_text()

    def start(self):
        if self.is_running():
            return
        port = self.port
        if not is_free(port):
            raise CloudError(
                f"port {port}, which the local cloud '{self.name}' has used so far, is taken by another "
                f"program: end that program, or start anew with `make reset`"
            )
        instance = uuid.uuid4().hex
        (self.folder / "instance").write_text(instance)
        for part in ("state", "objects", "tmp"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "infra/local/emulator/launcher.py")],
                env=self.environment(port, instance),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(process.pid))
        until_ready(process, self.is_running, f"the local cloud did not start; its log is {self.log}", pause=0.1)

    def environment(self, port, instance):
        # A small environment, because functions inherit it. AWS_ENDPOINT_URL stays unset: it would
        # override the function's own variable.
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.folder / "tmp"),
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.folder / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.folder / "objects"),
            "LOG_LEVEL": "INFO",
            **KEYS,
            "PAY_CLOUD_INSTANCE": instance,
            "PAY_CLOUD_OPENAPI": str(ROOT / "infra/terraform/openapi.json"),
        }

    def stop(self):
        """Ends the process in an orderly way, which is when the state is written. Says if there was one."""
        if not self.is_running():
            return False
        pid = int((self.folder / "pid").read_text())
        os.kill(pid, signal.SIGTERM)
        failure = f"the local cloud (process {pid}) does not stop; its log is {self.log}"
        wait_until(lambda: not is_alive(pid), STOP_SECONDS, failure, pause=0.1)
        (self.folder / "instance").unlink()
        return True

    def reset(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(condition, seconds, failure, pause=1.0, longest_pause=None):
    """Asks again and again until the condition holds, and gives its value.

    If it does not in time, that is a failure: what a person is told, or a function that makes an error of the last value.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise failure(value) if callable(failure) else CloudError(failure)
        time.sleep(pause)
        pause = min(pause * 1.5, longest_pause or pause)
    return value


def until_ready(process, is_ready, failure, pause):
    """Waits until a process answers that has just been started, unless it ends."""

    def ready():
        if is_ready():
            return True
        if process.poll() is not None:
            raise CloudError(failure)
        return False

    wait_until(ready, START_SECONDS, failure, pause)


def credentials():
    return {"region_name": REGION, **{name.lower(): value for name, value in KEYS.items()}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_alive(pid):
    try:
        os.waitpid(pid, os.WNOHANG)  # our own child would stay a zombie
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
