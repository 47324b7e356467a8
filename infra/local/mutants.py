"""Changes the sources one place at a time and runs the tests, which should notice: `make mutants`, docs/mutants.md.

What is changed and what is left alone stands in .cargo/mutants.toml. All of it happens in a copy of the sources in
.local/mutants, so that one can go on editing. A change is first shown to the quick tests of its own crate, and what
they let pass then to all of them: the slow ones play hundreds of histories with faults, and most changes are caught
without. Needs nothing but Python itself and cargo-mutants, which prepare.py installs.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("MUTANTS_HOME", ROOT / ".local/mutants"))
SOURCES = HOME / "sources"
DOMAINS = HOME / "domains"
COPIED = ("Cargo.toml", "Cargo.lock", "clippy.toml", ".cargo", "functions", "shared", "events", "docs")
# The most valuable first: a run that is interrupted has looked at what matters most.
CRATES = ("kernel", "money", "settlement", "payment", "remittance", "banking", "money-query", "franchise", "membership",
          "store", "contract")
# The tests that play many histories: names of which none may be among the quick tests.
SLOW = {
    "money": ["the_wallet_holds_exactly", "past_balance", "faults"],
    "settlement": ["faults", "histories"],
    "payment": ["faults", "a_thousand_payments", "settled_exactly_once"],
    "remittance": ["faults"],
    "banking": ["convergence"],
    "membership": ["uniqueness"],
}
# The declarations of operations are compared with the committed operations.json by xtask's tests.
DECLARATION = "from struct Operation expression"
# Where the tests of a crate's src/domain stand besides that folder.
DOMAIN_TESTS = {"money": ["ledger", "journal", "size"]}
# Whose tests look at a shared crate in the last pass, beside its own: the service that uses most of it.
USED_BY = {"contract": ["payment"], "store": ["payment"]}
# What a domain needs of its crate: it is pure, so it compiles without the rest, several times as fast.
BESIDE_DOMAIN = ("domain", "items", "refusals", "personal")
# Most changes are caught by few examples of a property; the last pass tries as many as the tests always do.
FEW = {"PROPTEST_CASES": "32"}
SUMMARIES = {"CaughtMutant": "caught", "MissedMutant": "missed", "Timeout": "timeouts", "Unviable": "unviable"}


def copy(to, alone):
    """Copies the sources, touching only what differs, so that little is built again; with `alone`, domains only."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *COPIED],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file() and not (alone and is_of_operations(name))}
    for name in wanted:
        text = (ROOT / name).read_bytes()
        if name == "Cargo.toml":
            # Cargo reads every manifest twice for each mutant, and AWS's SDK has many of them.
            members = ', '.join(f'"{folder(crate)}"' for crate in (*CRATES, "events"))
            text = re.sub(rb"members = \[.*?\]", f"members = [{members}]".encode(), text)
        if alone and re.fullmatch(r"functions/[^/]+/src/lib\.rs", name):
            modules = re.findall(r"mod (\w+);", text.decode())
            kept = [f"pub mod {module};\n" for module in modules if module in BESIDE_DOMAIN]
            text = ("//! The domain alone.\n#![allow(dead_code)]\n" + "".join(kept)).encode()
        there = to / name
        if not there.exists() or name != "Cargo.lock" and there.read_bytes() != text:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(text)
    for path in to.rglob("*"):
        if path.is_file() and path.relative_to(to).parts[0] != "target" and str(path.relative_to(to)) not in wanted:
            path.unlink()


def is_of_operations(name):
    """Whether a file is a test that needs more of its crate than the domain."""
    path = Path(name).parts
    return path[0] == "functions" and path[2] == "tests" and path[3].removesuffix(".rs") not in DOMAIN_TESTS.get(path[1], [])


def folder(crate):
    return next(f"{group}/{crate}" for group in ("functions", "shared") if (ROOT / group / crate).is_dir())


def mutants(crate):
    said = subprocess.run(["cargo", "mutants", "--list", "--json", "--package", crate],
                          cwd=SOURCES, check=True, capture_output=True, text=True)
    return [mutant["name"] for mutant in json.loads(said.stdout)]


def mutate(sources, crate, left_out, tests, cases, tested):
    """One run of the tool, and what became of each mutant in it."""
    out = HOME / "out" / crate
    shutil.rmtree(out, ignore_errors=True)
    (out / "mutants.out").mkdir(parents=True)
    # The tool's own exclude_re does not see the fields of a struct: only what an earlier run caught is left out of them.
    (out / "mutants.out/previously_caught.txt").write_text("".join(f"{name}\n" for name in left_out))
    environment = {
        **os.environ, **cases,
        # Cargo tells two copies of a workspace apart by their target folders only.
        "CARGO_TARGET_DIR": str(sources / "target"),
        # A history that fails is told as it is, and never kept for the next mutant.
        "PROPTEST_MAX_SHRINK_ITERS": "0", "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1", "CARGO_INCREMENTAL": "1",
    }
    command = ["cargo", "mutants", "--in-place", "--iterate", "--package", crate, "--output", str(out),
               *[f"--test-package={package}" for package in tested], "--colors", "never", "--", *tests]
    ended = subprocess.run(command, cwd=sources, env=environment).returncode
    outcomes = json.loads((out / "mutants.out/outcomes.json").read_text())["outcomes"]
    known = results(crate) | {
        outcome["scenario"]["Mutant"]["name"]: SUMMARIES[outcome["summary"]]
        for outcome in outcomes if outcome["scenario"] != "Baseline"
    }
    (HOME / f"{crate}.json").write_text(json.dumps(known, indent=1))
    if ended not in (0, 2, 3):  # all caught; some missed; some timed out
        sys.exit(f"cargo-mutants ended with {ended}")


def results(crate):
    """What is known of each mutant so far, whatever ended the run that found it out."""
    kept = HOME / f"{crate}.json"
    return json.loads(kept.read_text()) if kept.exists() else {}


def look_at(crate, options):
    everything = [
        name for name in mutants(crate) if DECLARATION not in name and re.search(options.only, name)
    ]
    inside = [name for name in everything if "/src/domain/" in name]
    quick = [word for name in SLOW.get(crate, []) for word in ("--skip", name)]
    passes = [
        (DOMAINS, inside, ["--lib", "--tests"], FEW, [crate]),
        (SOURCES, everything, ["--lib", "--tests", "--", *quick], FEW, [crate]),
        (SOURCES, everything, ["--lib", "--tests"], {}, [crate, *USED_BY.get(crate, ())]),
    ][options.first - 1:options.passes]
    if not options.again:
        (HOME / f"{crate}.json").unlink(missing_ok=True)
    for sources, wanted, tests, cases, tested in passes:
        known = results(crate)
        left = {name for name in wanted if known.get(name) not in ("caught", "timeouts", "unviable")}
        if left:
            left_out = [name for name in mutants(crate) if name not in left]
            mutate(sources, crate, left_out, tests, cases, tested)


def report(crate):
    # A mutant is named by its place, so what was found out before the sources changed may be of no place any more.
    known = results(crate)
    found = {name: known[name] for name in mutants(crate) if name in known}
    tally = Counter(found.values())
    print(f"| {crate} | {len(found)} | " + " | ".join(str(tally[name]) for name in SUMMARIES.values()) + " |")
    for name, became in found.items():
        if became in ("missed", "timeouts"):
            print(f"  {became}: {name}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--crate", choices=CRATES, help="this one only")
    arguments.add_argument("--only", default="", help="only mutants of whose names a part is like this, such as /holds.rs")
    arguments.add_argument("--again", action="store_true", help="only what the last run did not see caught")
    arguments.add_argument("--passes", type=int, default=3, help="1: domains alone; 2: all quick tests too; 3: all tests")
    arguments.add_argument("--first", type=int, default=1, help="the pass to begin with")
    options = arguments.parse_args()
    copy(SOURCES, alone=False)
    copy(DOMAINS, alone=True)
    crates = [options.crate] if options.crate else CRATES
    for crate in crates:
        look_at(crate, options)
    print("| crate | mutants | " + " | ".join(SUMMARIES.values()) + " |\n|---|---|---|---|---|---|")
    for crate in crates:
        report(crate)


if __name__ == "__main__":
    main()
