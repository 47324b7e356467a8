"""How the services of a local cloud are set up: of `make run`, of the tests, and of chaos."""

# The simulated bank's corporate account starts with this much, which the audit must know. A test settles the running
# day and days after it, and waits for no bank for long.
SETTINGS = {
    "money": {"ownFunds": 1_000_000_000_000},
    "settlement": {"mostDaysAhead": 400, "pollSeconds": 2, "deadlineSeconds": 120},
}

# A transfer that the bank never sees is voided after half a minute, not ten, a rebuilt model waits twelve seconds, not
# three minutes, and a run waits twenty for the bank, not two minutes: the tests wait for it.
TEST_SETTINGS = {
    **SETTINGS,
    "banking": {"voidAfterSeconds": 30},
    "money-query": {"settleSeconds": 12},
    "settlement": {**SETTINGS["settlement"], "pollSeconds": 1, "deadlineSeconds": 20},
}

# Under chaos keys rotate often. A function keeps a secret for five minutes, and must not sign with a key that two
# rotations have left behind, so a key is published for longer than that before it signs.
CHAOS_CLOUD = "chaos"
CHAOS_SETTINGS = {**TEST_SETTINGS, "membership": {"keyPublishedSeconds": 330}}
