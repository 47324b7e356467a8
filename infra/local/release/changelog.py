"""Prints one release's section of CHANGELOG.md, for the release's page; fails if there is none."""

import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[3] / "CHANGELOG.md"


def section(text, version):
    """What stands between this version's heading and the next one."""
    for part in text.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        if heading.lstrip("[").split("]")[0].split(" ")[0] == version:
            return body.strip()
    return None


def main():
    found = section(CHANGELOG.read_text(), sys.argv[1])
    if not found:
        sys.exit(f"CHANGELOG.md says nothing of {sys.argv[1]}: move what is under Unreleased to a section of that name")
    print(found)


if __name__ == "__main__":
    main()
