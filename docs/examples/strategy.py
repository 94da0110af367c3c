"""A strategy of your own, used without an entry point: `run_on` takes drivers that you have opened.

It speaks to a simulated gateway in this process, and keeps nothing: `python docs/examples/strategy.py`.
"""

import base64
import logging
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import final

import trio

from tigercore import OperationType, Ports, Secret, run_on
from tigercore.clock import SystemClock
from tigercore.model import Operation
from tigercore.ports import Candidate, DriverContext, LoadBalancer, NoOptions
from tigercore_cipher_local import LocalCipher, LocalOptions
from tigercore_client_httpx import HttpxClient, HttpxOptions
from tigercore_simulator import open_simulator
from tigercore_sqlite import SqliteOptions, SqliteStore


@final
class Favourite(LoadBalancer):
    """Try accounts with the tag `favourite` first, the others in their order."""

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Yield each candidate once, the favourites first."""
        yield from (c for c in candidates if "favourite" in c.account.tags)
        yield from (c for c in candidates if "favourite" not in c.account.tags)


async def main() -> None:
    """Open the drivers, put the strategy beside them under a name, and use it."""
    root = Secret(base64.b64encode(os.urandom(32)).decode())
    context = DriverContext(SystemClock(), random.Random(), logging.getLogger("tigercore"))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        place = stack.enter_context(tempfile.TemporaryDirectory())
        gateway = await enter(open_simulator(developers=3, seed=7))
        ports = Ports(
            store=await enter(SqliteStore.open(SqliteOptions(":memory:"), context)),
            cipher=await enter(LocalCipher.open(LocalOptions(master_key=root), context)),
            client=await enter(HttpxClient.open(HttpxOptions(), context)),
            balancers={"round_robin": Favourite(NoOptions(), context)},  # the settings' default name
        )
        tiger = await enter(run_on(ports))
        folders = [folder for written in gateway.write(place).values() for folder in written]
        for folder in folders:
            tags = {"favourite"} if folder is folders[-1] else set()
            await tiger.accounts.create_account_from_properties(folder, tags=tags)
        for explanation in await tiger.router.explain(OperationType.QUOTE):
            print(explanation.place, explanation.account.license, sorted(explanation.account.tags))
        await tiger.execute(OperationType.QUOTE, {"symbols": ["AAPL"]})
        print("calls:", [each.calls for each in tiger.router.get_routing_statistics()])


if __name__ == "__main__":
    trio.run(main)
