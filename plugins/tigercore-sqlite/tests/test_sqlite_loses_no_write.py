import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import attrs
import pytest
import trio
import trio.testing
from sqlalchemy import Connection, event

from tigercore.errors import StaleVersion
from tigercore.ports import AccountRow, AccountStore, Put, Record
from tigercore.testing._store_samples import account_row, audit_entry, token_row
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore
from tigercore_sqlite.engine import data_version, watch_runner

pytestmark = pytest.mark.sqlite

ROUNDS = 20


async def _add_one(store: AccountStore) -> None:
    """Read, add one and write, again until nobody else was faster."""
    while True:
        row = (await store.accounts())[0]
        try:
            await store.apply([Put(_counted(row)), Record(audit_entry())])
        except StaleVersion:
            continue
        return


def _counted(row: AccountRow) -> AccountRow:
    return attrs.evolve(row, account=attrs.evolve(row.account, error_count=row.account.error_count + 1))


async def _count(options: SqliteOptions, rounds: int) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        for _ in range(rounds):
            await _add_one(store)


async def _counted_so_far(options: SqliteOptions) -> tuple[int, int]:
    async with SqliteStore.open(options, driver_context()) as store:
        return (await store.accounts())[0].account.error_count, len(await store.audit())


async def test_eight_threads_that_read_and_write_lose_no_update(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
    threads = [threading.Thread(target=trio.run, args=(_count, options, ROUNDS)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await trio.to_thread.run_sync(thread.join)
    assert (8 * ROUNDS, 8 * ROUNDS) == await _counted_so_far(options)


async def test_two_processes_that_read_and_write_lose_no_update(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        await store.apply([Put(account_row())])
    count = [sys.executable, __file__, options.path]
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(trio.run_process, count)
    assert (2 * ROUNDS, 2 * ROUNDS) == await _counted_so_far(options)


async def test_a_write_of_another_process_wakes_who_waits(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        revision = await store.apply([Put(account_row())])
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.run_process, [sys.executable, __file__, options.path])
                assert revision < await store.wait_for_change(revision)


async def test_a_reader_does_not_wait_for_the_writer(options: SqliteOptions) -> None:
    reading = threading.Event()

    def write_and_linger(connection: Connection) -> bool:
        connection.exec_driver_sql("UPDATE tc_meta SET revision = 99")
        return reading.wait(5)

    async with SqliteStore.open(options, driver_context()) as store, trio.open_nursery() as nursery:
        nursery.start_soon(store._runner.write, write_and_linger)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert 0 == await store.wait_for_change(-1)
        reading.set()


async def _cancelled_at(store: SqliteStore, statement: int) -> bool:
    """Apply a batch that is cancelled when this statement is about to run; say whether it was cancelled."""
    engine, seen = store._runner._engine, 0
    row = account_row()

    def cancel(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            trio.from_thread.run_sync(scope.cancel)
            trio.from_thread.check_cancelled()

    with trio.CancelScope() as scope:
        event.listen(engine, "before_cursor_execute", cancel)
        event.listen(engine, "commit", cancel)
        try:
            await store.apply([Put(row), Put(token_row(row)), Record(audit_entry())])
        finally:
            event.remove(engine, "before_cursor_execute", cancel)
            event.remove(engine, "commit", cancel)
    return scope.cancelled_caught


async def test_a_batch_that_is_cancelled_at_any_statement_leaves_nothing(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        statement = 1
        while await _cancelled_at(store, statement):
            assert ([], [], 0) == (await store.accounts(), await store.audit(), await store.wait_for_change(-1))
            statement += 1
        assert 8 == statement  # BEGIN, the revision, the floor, three rows and the commit were each cancelled once
        assert 1 == len(await store.accounts())


@contextmanager
def _locked(options: SqliteOptions) -> Iterator[None]:
    """Be another program that holds the writer's lock."""
    with closing(sqlite3.connect(options.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def test_a_write_that_waits_for_another_process_can_be_cancelled(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        began = trio.current_time()
        with _locked(options), trio.move_on_after(0.2) as waited:
            await store.apply([Put(account_row())])
        assert waited.cancelled_caught
        assert trio.current_time() - began < 1.0
        assert ([], 0) == (await store.accounts(), await store.wait_for_change(-1))


async def test_a_write_waits_until_another_process_is_done(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store, trio.open_nursery() as nursery:
        with _locked(options):
            nursery.start_soon(store.apply, [Put(account_row())])
            with trio.move_on_after(0.4):
                await store.wait_for_change(0)
            assert [] == await store.accounts()
        assert 1 == await store.wait_for_change(0)


async def test_looking_for_a_change_waits_until_others_can_read_again(options: SqliteOptions) -> None:
    seen: list[int] = []

    async def look() -> None:
        seen.append(await runner.read(data_version))

    async with watch_runner(options.file) as runner, trio.open_nursery() as nursery:
        with closing(sqlite3.connect(options.path, isolation_level=None)) as other:
            other.executescript("PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE")
            nursery.start_soon(look)
            with trio.move_on_after(0.4):
                await trio.sleep_forever()
            assert [] == seen
    assert 1 == len(seen)


async def test_who_waits_can_be_cancelled_at_once(options: SqliteOptions) -> None:
    async with SqliteStore.open(options, driver_context()) as store:
        with trio.fail_after(2):
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(store.wait_for_change, 0)
                await trio.testing.wait_all_tasks_blocked(0.05)
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(_count, SqliteOptions(sys.argv[1]), ROUNDS)
