"""A rotation ends while a program that has not noticed writes with the old key: whoever is second sees the first."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest
import trio
import trio.testing
from sqlalchemy import event

from tigercore.errors import StaleVersion
from tigercore.ports import Put
from tigercore.testing._store_samples import account_row, key_ring
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.sqlite

RING = key_ring()
BELOW = Put(account_row(kek=1))
RAISED = Put(attrs.evolve(RING, min_decrypt=2, version=1))


@contextmanager
def _held_before_its_commit(store: SqliteStore) -> Iterator[None]:
    """Let the next batch of a store do all but commit, until the block has ended."""
    ended = threading.Event()

    def hold(*_: object) -> None:
        ended.wait(10)

    event.listen(store._runner._engine, "commit", hold)
    try:
        yield
    finally:
        ended.set()


@pytest.mark.parametrize(
    ("first", "second"), [(BELOW, RAISED), (RAISED, BELOW)], ids=["the writer is first", "the floor is first"]
)
async def test_of_a_row_below_the_floor_and_that_floor_the_second_is_stale(
    options: SqliteOptions, first: Put, second: Put
) -> None:
    refused: list[Put] = []

    async def apply(store: SqliteStore, change: Put) -> None:
        try:
            await store.apply([change])
        except StaleVersion:
            refused.append(change)

    async with SqliteStore.open(options, driver_context()) as one, SqliteStore.open(options, driver_context()) as other:
        await one.apply([Put(RING)])
        async with trio.open_nursery() as nursery:
            with _held_before_its_commit(one):
                nursery.start_soon(apply, one, first)
                await trio.testing.wait_all_tasks_blocked(0.1)
                nursery.start_soon(apply, other, second)
                await trio.testing.wait_all_tasks_blocked(0.1)
                assert [] == refused
        assert [second] == refused


async def _write_below(store: SqliteStore) -> None:
    for _ in range(25):
        try:
            await store.apply([Put(account_row(kek=1)) for _ in range(2)])
        except StaleVersion:
            return


async def _raise_floor(store: SqliteStore) -> None:
    """Seal anew what is below, then raise the floor, again until no writer came between."""
    while True:
        below = [attrs.evolve(row, kek=2) for row in await store.accounts() if row.kek < 2]
        try:
            await store.apply([Put(row) for row in below])
            await store.apply([RAISED])
        except StaleVersion:
            continue
        return


def _run(options: SqliteOptions, barrier: threading.Barrier) -> None:
    async def write() -> None:
        async with SqliteStore.open(options, driver_context()) as store:
            barrier.wait(10)
            await _write_below(store)

    trio.run(write)


async def test_when_the_floor_has_risen_no_row_of_the_writers_is_below(options: SqliteOptions) -> None:
    barrier = threading.Barrier(4)
    writers = [threading.Thread(target=_run, args=(options, barrier)) for _ in range(3)]
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(RING)])
        for writer in writers:
            writer.start()
        await trio.to_thread.run_sync(barrier.wait, 10)
        await _raise_floor(store)
        for writer in writers:
            await trio.to_thread.run_sync(writer.join)
        assert {2} == {row.kek for row in await store.accounts()}
