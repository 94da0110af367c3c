"""Eight processes add one to one number: `python -m tests.torture.counting FOLDER SECONDS SEED BACKEND [BUG]`.

In the first half of a round each adds one 100 times, again and again while others are faster: 800 must stand. In the
second each tries 100 times: as much must stand as was acknowledged. Rounds are repeated until SECONDS are over.
"""

from __future__ import annotations

import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import final

import attrs
import trio

from tests.servers import MissingServer
from tests.torture import bugs
from tests.torture.backends import BACKENDS, MISSING, Backend
from tests.torture.ledger import count, tally, violate, violations
from tests.torture.zygote import ended, fork
from tigercore.errors import StaleVersion
from tigercore.ports import AccountStore, Put, Record
from tigercore.testing._store_samples import account_row, audit_entry

PROCESSES, TIMES = 8, 100
LONGEST_THOUGHT = 0.002  # seconds between reading and writing
PATIENCE = 120.0


@final
@attrs.frozen
class Adder:
    """Add one so many times, or try as often."""

    folder: Path
    backend: Backend
    seed: int
    again: bool

    async def __call__(self) -> None:
        rng, left = random.Random(self.seed), TIMES
        async with self.backend.open() as store:
            while left:
                done = await self._add_one(store, rng)
                count(self.folder, "acknowledged" if done else "met a faster one")
                left -= done or not self.again

    async def _add_one(self, store: AccountStore, rng: random.Random) -> bool:
        [row] = await store.accounts()
        await trio.sleep(rng.uniform(0, LONGEST_THOUGHT))
        more = attrs.evolve(row, account=attrs.evolve(row.account, error_count=row.account.error_count + 1))
        try:
            await store.apply([Put(more), Record(audit_entry())])
        except StaleVersion:
            return False
        return True


async def judge(folder: Path, backend: Backend) -> None:
    """Hold what stands against what was acknowledged."""
    async with backend.open() as store:
        [row], lines, counted = await store.accounts(), await store.audit(limit=10**6), tally(folder)
    acknowledged = counted["acknowledged"]
    if (acknowledged, acknowledged) != (row.account.error_count, len(lines)):
        violate(
            folder, f"{acknowledged} were acknowledged; {row.account.error_count} stand, with {len(lines)} audit lines"
        )
    if not counted["met a faster one"]:
        violate(folder, "nobody met anybody: this proves nothing")


async def prepare(backend: Backend) -> None:
    """Make the store, with the one account."""
    await backend.migrate()
    async with backend.open() as store:
        await store.apply([Put(account_row())])


def add(folder: Path, backend: Backend, rng: random.Random, *, again: bool) -> None:
    """Let all add, and wait for them."""
    seeds = [rng.getrandbits(32) for _ in range(PROCESSES)]
    adders = [fork(folder, Adder(folder, backend, seed, again)) for seed in seeds]
    if [0] * PROCESSES != [ended(adder, PATIENCE) for adder in adders]:
        violate(folder, "somebody did not end well")
    if again and tally(folder)["acknowledged"] != PROCESSES * TIMES:
        violate(folder, f"{tally(folder)} is not what all have acknowledged: {PROCESSES * TIMES}")


def play(folder: Path, backend: Backend, rng: random.Random) -> None:
    """Play one round, on a store of its own."""
    folder.mkdir(mode=0o700)
    if ended(fork(folder, partial(prepare, backend)), PATIENCE) != 0:
        return
    for again in (True, False):
        add(folder, backend, rng, again=again)
        if violations(folder) or ended(fork(folder, partial(judge, folder, backend)), PATIENCE) != 0:
            return
    print(f"  {dict(tally(folder))}", flush=True)


def main(home: Path, seconds: float, seed: int, name: str, bug: str) -> int:
    began, rng = time.monotonic(), random.Random(seed)
    print(f"counting on {name}: seed {seed}, {seconds:g} s, planted bug: {bug or 'none'}", flush=True)
    bugs.plant(bug)
    rounds, broken = 0, list[str]()
    try:
        with BACKENDS[name](home) as new:
            while not broken and (not rounds or time.monotonic() < began + seconds):
                folder = home / f"round-{rounds}"
                play(folder, new(f"round_{rounds}"), rng)
                rounds, broken = rounds + 1, violations(folder)
    except MissingServer as error:
        print(error)
        return MISSING
    print(f"  {time.monotonic() - began:.1f} s; {rounds} rounds; {len(broken)} violations; seed {seed}")
    print("\n".join(broken[:20]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], (*sys.argv[5:], "")[0]))
