"""A version becomes live by a deployment, is taken back by one command, and by its canary if it fails."""

import threading

import pytest
from system.aliases import ALIAS, Aliases
from system.cloud import CloudError

OPERATION = "membership.getOpenIdConfiguration"
WELL_KNOWN = "/.well-known/openid-configuration"


class Released:
    """One harmless function, of which versions are published as Terraform publishes them."""

    def __init__(self, world):
        self.world = world
        self.name = world.outputs["functions"][OPERATION]
        self.functions = world.cloud.client("lambda")
        self.said = []

    def publish(self, **changes):
        """A new version; answers the aliases of it and of nothing else."""
        self.functions.update_function_configuration(FunctionName=self.name, **changes)
        self.functions.get_waiter("function_updated_v2").wait(FunctionName=self.name)
        # Lambda publishes no version that differs in nothing from the last.
        version = self.functions.publish_version(FunctionName=self.name)["Version"]
        outputs = {**self.world.outputs, "functions": {OPERATION: self.name}, "versions": {OPERATION: version}}
        return version, Aliases(outputs, self.world.cloud.client, self.said.append)

    def live(self):
        alias = self.functions.get_alias(FunctionName=self.name, Name=ALIAS)
        return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}


@pytest.fixture
def released(world):
    released = Released(world)
    before = released.functions.get_function_configuration(FunctionName=released.name)
    version, _ = released.live()
    yield released
    released.functions.update_function_configuration(
        FunctionName=released.name, Description=before["Description"], Handler=before["Handler"]
    )
    released.functions.update_alias(
        FunctionName=released.name, Name=ALIAS, FunctionVersion=version, Description="", RoutingConfig={"AdditionalVersionWeights": {}}
    )


def test_a_published_version_is_live_when_it_is_shipped_and_a_roll_back_holds_until_the_next(released):
    old, _ = released.live()
    new, aliases = released.publish(Description="a new version")
    assert released.live() == (old, {})
    assert aliases.make_live() == 1
    assert released.live() == (new, {})
    assert aliases.make_live() == 0

    moves = aliases.roll_back("membership")
    assert [(move.was, move.to) for move in moves] == [(new, old)]
    assert released.live() == (old, {})
    # The same deployment again would bring back what was rolled back; a next version is another matter.
    assert aliases.make_live() == 0
    assert released.live() == (old, {})
    assert any("roll-back" in line for line in released.said)
    with pytest.raises(CloudError, match="nothing of membership"):
        aliases.roll_back("membership")
    newer, aliases = released.publish(Description="the next version")
    assert aliases.make_live() == 1
    assert released.live() == (newer, {})


def test_a_canary_that_fails_is_taken_back_while_most_callers_notice_nothing(world, released):
    old, _ = released.live()
    bad, aliases = released.publish(Handler="noSuchOperation")
    outcome = []

    def go():
        try:
            aliases.make_live(canary="CodeDeployDefault.LambdaCanary50Percent10Minutes")
        except CloudError as error:
            outcome.append(error)

    deployment = threading.Thread(target=go)
    deployment.start()
    statuses = []
    while deployment.is_alive() and len(statuses) < 400:
        statuses.append(world.api.get(WELL_KNOWN).status_code)
    deployment.join(timeout=120)
    assert outcome and "taken back" in str(outcome[0])
    assert released.live() == (old, {})
    assert statuses.count(200) > 0 and len(set(statuses)) > 1
    assert [world.api.get(WELL_KNOWN).status_code for _ in range(20)] == [200] * 20
    # It stays away until there is another version.
    assert aliases.make_live() == 0
    assert released.live() == (old, {})
    assert bad != old
