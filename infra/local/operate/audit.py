"""The ledger's invariants over all tables, and the corporate account at the bank: `make audit`."""

from rich.console import Console

console = Console(highlight=False)


def audited(running):
    """Prints what the audit has found and counted; whether it has found nothing."""
    # Every function on this machine has the same clock, so nothing near the cut need be set apart.
    body = {"slackSeconds": 0}
    while True:
        answer = running.ask("money.auditLedger", body)
        if "next" not in answer:
            break
        body = {"next": answer["next"]}
    for finding in answer["findings"]:
        console.print(f"[red]{finding['rule']}[/red] {finding['subject']}: {finding['detail']}")
    for name, won in answer["sums"].items():
        console.print(f"{name:<24}{won:>24,} won", style="dim")
    suspended = answer["suspended"]
    if suspended["entries"]:
        console.print(f"{suspended['entries']} entries in suspense, for a person to look at: {', '.join(suspended['references'])}")
    console.print(f"audit: {answer['checked']} items checked, {answer['found']} findings")
    return answer["found"] == 0
