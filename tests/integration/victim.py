"""A process whose secrets are hunted: `python -m tests.integration.victim` works and fails, then waits, or is killed.

It reads one JSON document from stdin: the fields of an account, and after how many calls of a rotation's progress it
kills itself. Everything is logged at DEBUG, and every error with the locals of its frames.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import traceback
from typing import Any

import attrs
import trio

from tigercore import Tigercore, TigerCoreError, load_settings, open_tigercore
from tigercore._plugins import choose
from tigercore.settings import Settings


def main() -> None:
    """Work, fail, say under which ids this process and its child can be found, and wait."""
    logging.basicConfig(level=logging.DEBUG)
    settings, given = load_settings(), json.loads(sys.stdin.readline())
    trio.run(live, settings, given["accounts"], given["kill_at"])
    trio.run(fail, attrs.evolve(settings, cipher=attrs.evolve(settings.cipher, options={"key_file": "/nowhere"})))
    with sqlite3.connect(settings.store.options["path"]) as connection:
        connection.execute("update tc_key_ring set epoch = 9")
    trio.run(fail, settings)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)) as child:
        require_at_work(child)
        print(json.dumps([os.getpid(), child.pid]), flush=True)
        sys.stdin.readline()


def require_at_work(cat: subprocess.Popen[bytes]) -> None:
    """Wait until a program runs: while it is still being loaded, the kernel shows no environment of it."""
    assert cat.stdin is not None
    assert cat.stdout is not None
    cat.stdin.write(b"?")
    cat.stdin.flush()
    assert b"?" == cat.stdout.read(1)


async def live(settings: Settings, accounts: list[dict[str, Any]], kill_at: int | None) -> None:
    """Make the store and accounts, and rotate."""
    store = choose(settings).store
    await store.driver.schema(store.options).migrate()
    async with open_tigercore(settings) as tiger:
        await work(tiger, accounts, kill_at)


async def work(tiger: Tigercore, accounts: list[dict[str, Any]], kill_at: int | None) -> None:
    """Make accounts, and rotate."""
    for each in accounts:
        await tiger.accounts.create_account(**each)
    calls = itertools.count()

    def progress(done: int, total: int) -> None:
        if next(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    await tiger.keys.rotate(progress=progress)


async def fail(settings: Settings) -> None:
    """Open the store, which does not open, and tell it as a careless error reporter does."""
    try:
        async with open_tigercore(settings):
            pass
    except TigerCoreError as error:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        logging.getLogger("victim").error("".join(trace.format()))


if __name__ == "__main__":
    main()
