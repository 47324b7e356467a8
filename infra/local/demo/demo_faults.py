"""The story of first money under a faulty AWS: `make demo-faults`.

Every call of the functions to the cloud goes by microburst (loadtest/fault_proxy.py). The people of the story behave as
the API's documentation asks of clients: what is not answered for certain is asked again under the same key.
"""

import argparse
import secrets
import sys
import time

import httpx
from rich.console import Console

from demo import first_money
from loadtest.fault_proxy import Proxy
from loadtest.quiescence import SHOWN, Rest
from operate.audit import audited
from system import terraform
from system.client import Api, Bank, System
from system.cloud import Cloud, CloudError
from system.settings import CHAOS_CLOUD

console = Console(highlight=False)
PATIENCE_SECONDS = 60
# A transfer of which the bank has no word is asked about after a minute, and voided if the bank has never seen it.
RECHARGE_SECONDS = 4 * 60


class PatientApi(Api):
    def call(self, method, path, body=None, token=None, key=None, headers=None, **options):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = super().call(method, path, body, token, key, headers, **options)
            except httpx.HTTPError as error:
                if time.monotonic() > deadline:
                    raise CloudError(f"{method} {path} was not answered: {error}") from error
                continue
            again = answer.status_code >= 500 or answer.status_code == 429 or "request_in_progress" in answer.text
            if not again or time.monotonic() > deadline:
                return answer
            time.sleep(int(answer.headers.get("retry-after", 1)))


class PatientBank(Bank):
    def __init__(self, plain):
        self.api = PatientApi(plain.api.url, plain.api.listener)
        self.headers, self.corporate_account = plain.headers, plain.corporate_account


class PatientSystem(System):
    def __init__(self, cloud, outputs, listener):
        super().__init__(cloud, outputs, listener)
        self.api = PatientApi(outputs["api_url"], listener)

    @property
    def bank(self):
        return PatientBank(super().bank)


def run(options):
    """Whether all went well."""
    cloud = Cloud(options.cloud)
    running = PatientSystem(cloud, terraform.outputs(cloud), first_money.Storyteller())
    console.print(f"[bold]▸ the story of first money, {options.times} times, SEED={options.seed}[/bold]")
    with Proxy(cloud, options.seed) as proxy:
        send_functions_by(cloud, proxy.url)
        try:
            for _ in range(options.times):
                first_money.tell(running, RECHARGE_SECONDS)
        finally:
            send_functions_by(cloud, "")
            passed, faults = proxy.counts()
    for (service, kind), count in sorted(faults.items()):
        console.print(f"  {count:>6}  {service}  {kind}", markup=False)
    stuck = Rest(running).come()
    for what in stuck[:SHOWN]:
        console.print(f"stuck: {what}", markup=False, style="red")
    is_right = audited(running)
    console.print(
        f"[bold]demo SEED={options.seed}[/bold]: {options.times} stories, {faults.total():,} faults in {passed:,} requests of "
        f"functions: [bold]{len(stuck)} stuck[/bold]"
    )
    return is_right and not stuck


def send_functions_by(cloud, endpoint):
    httpx.put(f"{cloud.endpoint}/_pay/troubles", json={"endpoint": endpoint}, timeout=30).raise_for_status()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", default=CHAOS_CLOUD)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(0 if run(arguments()) else 1)
    except CloudError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(1)
