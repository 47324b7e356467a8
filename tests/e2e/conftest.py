"""Fixtures: the stack under test, and people to test it with.

`make test` brings a fresh stack up and names it by PAY_CLOUD; the same tests run on any other local cloud too, such
as the one of `make run`: PAY_CLOUD=run .local/venv/bin/pytest tests/e2e.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/local"))

from system import terraform  # noqa: E402
from system.cloud import Cloud  # noqa: E402
from world import Bus, World  # noqa: E402

# What was planted is looked for when everything else has run. Whoever leaves is looked after for another quarter of an
# hour, which must not come between two looks at tables that are to be the same.
LAST = ("test_closing.py", "test_observability.py", "test_privacy.py")


def pytest_configure(config):
    config.addinivalue_line("markers", "late: looks at what takes a while; others run in the meantime")


def pytest_collection_modifyitems(items):
    def place(item):
        return LAST.index(item.path.name) + 1 if item.path.name in LAST else 0

    items.sort(key=lambda item: (place(item), item.get_closest_marker("late") is not None))


@pytest.fixture(scope="session")
def world():
    cloud = Cloud(os.environ.get("PAY_CLOUD", "test"))
    return World(cloud, terraform.outputs(cloud))


@pytest.fixture(scope="session")
def bus(world):
    """Every fact that is published while the tests run."""
    tap = Bus(world).open()
    yield tap
    tap.close()


@pytest.fixture(scope="session", autouse=True)
def listening(bus):
    """The tap is open from the first test on, so that the last one can look through all that it heard."""


@pytest.fixture(scope="session")
def hana(world):
    """A member with a linked account, for tests that leave no trace worth mentioning."""
    return world.member()


@pytest.fixture(scope="session")
def duri(world):
    """Another one."""
    return world.member()


@pytest.fixture(scope="session")
def company(world):
    """A corporate member: scopes member and merchant."""
    return world.stranger(kind="corporate")


@pytest.fixture(scope="session")
def operator(world):
    """One of Pay's own people."""
    return world.operator()
