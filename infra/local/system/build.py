"""Builds the services' artifacts: <binary>/bootstrap.zip for each binary of functions/bootstrap."""

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from system.cloud import LOCAL, ROOT, CloudError

# Zips that differ only in the time they were packed would look like new versions to Terraform.
PACKED_AT = (1980, 1, 1, 0, 0, 0)
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86-64": "x86_64-unknown-linux-gnu"}


def metadata():
    said = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1", "--quiet"],
        cwd=ROOT, capture_output=True, text=True,
    )
    if said.returncode != 0:
        raise CloudError(said.stderr)
    return json.loads(said.stdout)


def binaries(about):
    package = next(package for package in about["packages"] if package["name"] == "bootstrap")
    return [target["name"] for target in package["targets"] if "bin" in target["kind"]]


# The tests' own build makes the binaries too: asking for another set of features would compile the SDK again.
FUNCTIONS = ("build", "--package", "bootstrap", "--bins")
WITH_TESTS = ("test", "--workspace", "--no-run", "--quiet")


def for_this_machine(artifacts, what=FUNCTIONS):
    """The development profile: quick to build; stripped copies keep the zips small."""
    about = metadata()
    if subprocess.run(["cargo", *what], cwd=ROOT).returncode != 0:
        raise CloudError("the build failed")
    for name in binaries(about):
        built = Path(about["target_directory"]) / "debug" / name
        archive = artifacts / name / "bootstrap.zip"
        if not archive.exists() or archive.stat().st_mtime_ns < built.stat().st_mtime_ns:
            pack(built, archive)


def for_aws(architecture, service=None):
    """Release zips by cargo-lambda, which cross-compiles with zig: of all services, or of one."""
    target = TARGETS.get(architecture)
    if target is None:
        raise CloudError(f"ARCH is arm64 or x86-64, not {architecture}")
    installed = subprocess.run(["rustup", "target", "list", "--installed"], capture_output=True, text=True)
    if installed.returncode == 0 and target not in installed.stdout.split():
        raise CloudError(
            f"Rust's standard library for {target} is not installed: `rustup target add {target}`. "
            f"An offline machine cannot fetch it; ARCH=x86-64 may be there already."
        )
    environment = {**os.environ, "PATH": f"{LOCAL / 'venv/bin'}:{os.environ['PATH']}"}
    which = ["--bin", service] if service else ["--bins"]
    arguments = ["--package", "bootstrap", *which, "--profile", "lambda", "--output-format", "zip", f"--{architecture}"]
    command = ["cargo", "lambda", "build", *arguments]
    if subprocess.run(command, cwd=ROOT, env=environment).returncode != 0:
        raise CloudError("the build failed")
    folder = Path(metadata()["target_directory"]) / "lambda"
    for archive in sorted(folder.glob(f"{service or '*'}/bootstrap.zip")):
        pack_again(archive)
        print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB")


def pack(binary, archive):
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "bootstrap"
        shutil.copy(binary, copy)
        if shutil.which("strip"):
            subprocess.run(["strip", str(copy)], check=True)
        write(archive, copy.read_bytes(), level=1)


def pack_again(archive):
    """The same, packed at no time: cargo-lambda notes when it packed, and an unchanged service would look like a new one."""
    with zipfile.ZipFile(archive) as packed:
        content = packed.read("bootstrap")
    write(archive, content, level=9)


def write(archive, content, level):
    entry = zipfile.ZipInfo("bootstrap", PACKED_AT)
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(entry, content, compresslevel=level)
