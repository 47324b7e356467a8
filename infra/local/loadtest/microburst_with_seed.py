"""microburst itself, with dice that a seed throws: fault_proxy.py runs this file. The seed, and then microburst's own options."""

import random
import sys

import aiohttp
import yarl
from microburst.cli import main
from microburst.core import pipeline


def keep_what_is_signed():
    """Left alone, it would write a function's `%3Alive` as `:live`, and pass a body on in chunks without its length."""
    aiohttp.ClientSession._build_url = lambda _, url: yarl.URL(url, encoded=True)
    pipeline.should_buffer = lambda *_: True


if __name__ == "__main__":
    keep_what_is_signed()
    random.seed(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
