import logging
from typing import Any

import psycopg
import pytest
import trio
import trio.testing

import tigercore_postgres.feed
from tests.servers.postgres import PostgresServer
from tigercore.errors import StoreUnavailable
from tigercore.ports import AccountStore, Put, Record
from tigercore.testing._store_samples import account_row, audit_entry
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore

pytestmark = pytest.mark.postgres

SOON = 1.0  # seconds: half of the time after which a store that hears nothing looks by itself


async def _heard(store: AccountStore, by: AccountStore) -> float:
    """Let another handle write, and return the seconds until the store has heard of it."""
    before = await store.wait_for_change(-1)
    heard = trio.Event()

    async def listen() -> None:
        await store.wait_for_change(before)
        heard.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await by.apply([Put(account_row())])
        began = trio.current_time()
        await heard.wait()
    return trio.current_time() - began


async def test_a_write_through_another_handle_is_heard_within_a_tenth_of_a_second(options: PostgresOptions) -> None:
    async with (
        PostgresStore.open(options, driver_context()) as store,
        PostgresStore.open(options, driver_context()) as other,
    ):
        assert 0.1 > min([await _heard(store, by=other) for _ in range(5)])  # one of them finds the machine free


async def _end_listeners(server: PostgresServer, database: str) -> None:
    await trio.to_thread.run_sync(
        server.run,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE datname = '{database}' AND query LIKE 'LISTEN%'",
    )


async def test_a_connection_that_listens_is_made_anew_when_it_was_lost(
    server: PostgresServer, options: PostgresOptions, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        await _end_listeners(server, database)
        with trio.fail_after(10):
            while not _listeners(options):
                await trio.lowlevel.checkpoint()
        async with PostgresStore.open(options, driver_context()) as other:
            assert SOON > await _heard(store, by=other)
    assert [logging.WARNING] == [record.levelno for record in caplog.records if "was lost" in record.message]


async def test_what_was_told_while_nobody_listened_is_looked_for(
    server: PostgresServer, options: PostgresOptions, database: str
) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        before, woken = await store.wait_for_change(-1), store._written
        with trio.fail_after(SOON):
            await _end_listeners(server, database)
            await woken.wait()
        assert before == await store.wait_for_change(-1)


def _listeners(options: PostgresOptions) -> int:
    with psycopg.connect(options.dsn) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        ).fetchone()
    assert found
    return int(found[0])


async def test_records_alone_are_told_to_nobody(options: PostgresOptions) -> None:
    with psycopg.connect(options.dsn, autocommit=True) as listener:
        listener.execute("LISTEN tigercore_changed")
        async with PostgresStore.open(options, driver_context()) as store:
            await store.apply([Record(audit_entry())])
            await store.apply([Put(account_row())])
        told = list(listener.notifies(timeout=0.5))
    assert 2 == len(told)  # the trial of opening, and the batch


async def test_a_batch_that_is_refused_is_told_to_nobody(options: PostgresOptions) -> None:
    with psycopg.connect(options.dsn, autocommit=True) as listener:
        async with PostgresStore.open(options, driver_context()) as store:
            listener.execute("LISTEN tigercore_changed")
            with pytest.raises(StoreUnavailable):
                await store.apply([Put(account_row()), Put(account_row(description="\x00"))])
        assert [] == list(listener.notifies(timeout=0.5))


async def test_a_pooler_that_passes_no_notifications_on_is_refused(proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tigercore_postgres.feed, "_PROOF", 0.3)

    async def pooled(kind: bytes, body: bytes) -> bytes | None:
        return None if kind == b"A" else body

    proxy.edit = pooled
    with pytest.raises(StoreUnavailable, match=r"behind a pooler in transaction mode: name the server itself, or"):
        async with PostgresStore.open(proxy.options, driver_context()):
            pass


async def test_what_is_raised_in_the_block_leaves_as_itself(options: PostgresOptions) -> None:
    with pytest.raises(ZeroDivisionError):
        async with PostgresStore.open(options, driver_context()):
            raise ZeroDivisionError
