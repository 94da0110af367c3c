"""Programs on a store whose server crashes: writers, a follower, and who looks when all is over.

Each batch of a writer has a name, which both of its audit lines bear; an account's error count and its token row's
failures are the number of the last batch that has moved them.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, final
from uuid import UUID

import attrs
import trio

from tests.torture.backends import Backend
from tests.torture.ledger import Ledger, count, violate
from tests.torture.roles import is_over
from tigercore.errors import StoreUnavailable
from tigercore.ports import AccountRow, AccountStore, Change, Put, Record, TokenRow
from tigercore.testing._store_samples import account_row, audit_entry, token_row

WRITERS = 4
PROBES = 5
FOLLOWS = 3.0  # seconds in which a follower must see any change: it polls each 2 s, on a machine that is busy
BACK = 15.0  # seconds after which notifications must reach it again
SWIFT = 0.5  # seconds in which it sees a change of which it is told
_MOVES, _RECORDS = "moves", "records"
_PAUSE, _LOOK = 0.05, 0.005


async def prepare(backend: Backend) -> None:
    """Make the store, with an account for each writer and one for the probes."""
    await backend.migrate()
    rows = [account_row(id=_id(slot)) for slot in range(WRITERS + 1)]
    async with backend.open() as store:
        await store.apply([Put(each) for row in rows for each in (row, token_row(row))])


@final
@attrs.frozen
class Writer:
    """Write batch after batch, each at most once, and note what the store says of it. Outages are waited for."""

    folder: Path
    backend: Backend
    slot: int
    rng: random.Random

    async def __call__(self) -> None:
        ledger = Ledger(self.folder, self.slot)
        async with self.backend.open() as store:
            while not is_over(self.folder):
                try:
                    await self._write(store, ledger)
                except StoreUnavailable as error:
                    count(self.folder, f"times that a store was not there: {str(error).rpartition('; ')[2]}")
                    await trio.sleep(_PAUSE)

    async def _write(self, store: AccountStore, ledger: Ledger) -> None:
        kind, number = self.rng.choice([_MOVES, _RECORDS]), ledger.begun + 1
        [row], [token] = await store.accounts([_id(self.slot)]), await store.token_rows([_id(self.slot)])
        ledger.begin(str(number), True)
        try:
            await store.apply([*(_moved(row, token, number) if kind == _MOVES else ()), *self._lines(kind, number)])
        except StoreUnavailable as error:
            if "nothing was written" in str(error):
                ledger.acknowledge(str(number), False)
            raise
        ledger.acknowledge(str(number), True)
        count(self.folder, f"batches of writer {self.slot}")

    def _lines(self, kind: str, number: int) -> list[Change]:
        return [Record(audit_entry(f"{kind}.{half}", target=f"{self.slot} {number}")) for half in ("first", "second")]


@final
@attrs.frozen
class Follower:
    """Follow the store by its feed, and write down what it knows of it."""

    folder: Path
    backend: Backend

    async def __call__(self) -> None:
        known: dict[str, int] = {}
        revision = -1
        async with self.backend.open() as store:
            while True:
                try:
                    await store.wait_for_change(revision)
                    delta = await store.delta(revision)
                except StoreUnavailable:
                    await trio.sleep(_PAUSE)
                    continue
                revision = delta.revision
                known |= {str(row.id): row.version for row in delta.accounts}
                _replace(self.folder / "followed", json.dumps([revision, known]))


async def probe(folder: Path, backend: Backend) -> None:
    """See that a follower sees a write soon, and knows the store as it is."""
    async with backend.open() as store:
        swift, deadline = 0, time.monotonic() + BACK
        while swift < PROBES and time.monotonic() < deadline:
            behind = await _behind(folder, store)
            print(f"  the follower was behind for {behind:.3f} s", flush=True)
            swift = swift + 1 if behind < SWIFT else 0
            if behind > FOLLOWS:
                violate(folder, f"the follower does not follow within {FOLLOWS:g} s")
        if swift < PROBES:
            violate(folder, f"after {BACK:g} s the follower is told of nothing: it only polls")
        versions = {str(row.id): row.version for row in await store.accounts()}
        if (known := _followed(folder)[1]) != versions:
            violate(folder, f"the follower knows {known}, and {versions} stand")


async def _behind(folder: Path, store: AccountStore) -> float:
    """Write, and return how long it took the follower to know."""
    [row] = await store.accounts([_id(WRITERS)])
    began, revision = time.monotonic(), await store.apply([Put(row)])
    while True:
        behind = time.monotonic() - began
        if _followed(folder)[0] >= revision or behind > 2 * FOLLOWS:
            return behind
        await trio.sleep(_LOOK)


async def judge(folder: Path, backend: Backend) -> None:
    """Hold what stands against what the store has said of each batch: never in part, and never twice."""
    async with backend.open() as store:
        lines = [line.entry for line in await store.audit(limit=10**7)]
        rows, tokens = await store.accounts(), {row.id: row for row in await store.token_rows()}
    stand: dict[str, list[str]] = {}
    for line in lines:
        stand.setdefault(line.target, []).append(line.action)
    for slot, row in enumerate(rows[:WRITERS]):
        ledger = Ledger(folder, slot)
        named = {int(name): stand.pop(f"{slot} {name}", []) for name in ledger.places()}
        for number, actions in named.items():
            _judge_batch(folder, f"{slot} {number}", actions, ledger.allowed(str(number)))
        last = max((number for number, actions in named.items() if f"{_MOVES}.first" in actions), default=0)
        if (last, last) != (row.account.error_count, tokens[row.id].failures):
            violate(folder, f"writer {slot}: {last} was the last; {row.account.error_count} and {tokens[row.id]} stand")
    if stand:
        violate(folder, f"nobody has written {stand}")


def _judge_batch(folder: Path, name: str, actions: list[str], allowed: list[Any]) -> None:
    whole = [[f"{kind}.first", f"{kind}.second"] for kind in (_MOVES, _RECORDS)]
    right = [state for each in allowed for state in (whole if each else [[]])]
    said = "unknown" if len(allowed) > 1 else "acknowledged" if allowed[0] else "refused"
    count(folder, f"batches {said} and {'there' if actions else 'not there'}")
    if actions not in right:
        violate(folder, f"batch {name}, {said}: {actions} stand")


def _moved(row: AccountRow, token: TokenRow, number: int) -> list[Change]:
    account = attrs.evolve(row.account, error_count=number)
    return [Put(attrs.evolve(row, account=account)), Put(attrs.evolve(token, failures=number))]


def _id(slot: int) -> UUID:
    return UUID(int=slot + 1, version=4)


def _followed(folder: Path) -> tuple[int, dict[str, int]]:
    path = folder / "followed"
    revision, known = json.loads(path.read_text()) if path.exists() else (-1, {})
    return revision, known


def _replace(path: Path, text: str) -> None:
    """Write a file so that who reads it meanwhile reads the one before."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
