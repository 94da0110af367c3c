from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import trio
from sqlalchemy import Connection, text

from tigercore.ports import Put
from tigercore.testing._store_samples import account_row
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore
from tigercore_postgres.engine import store_runner
from tigercore_postgres.server import Server

pytestmark = pytest.mark.postgres

PROMPT = 1.0  # seconds; 0.2 where the machine has nothing else to do
SLEEP = text("SELECT pg_sleep(30)")
SLEEPERS = text("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)' AND state = 'active'")
BACKENDS = text("SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'tigercore'")


def _sleep(connection: Connection) -> None:
    connection.execute(SLEEP)


def _scalar(query: Any) -> Any:
    return lambda connection: connection.execute(query).scalar_one()


@contextmanager
def _locked(options: PostgresOptions) -> Iterator[None]:
    """Be another program that is in the middle of a batch."""
    with psycopg.connect(options.dsn) as connection:
        connection.execute("SELECT revision FROM tc_meta FOR UPDATE")
        yield


async def _cancelled(task: Any, *given: Any) -> float:
    """Cancel a task that runs, and return the seconds until it has ended."""
    with trio.move_on_after(0.3) as scope:
        await task(*given)
    assert scope.cancelled_caught
    return trio.current_time() - scope.deadline


async def test_a_statement_that_runs_ends_when_its_task_is_cancelled(options: PostgresOptions) -> None:
    async with store_runner(options) as runner:
        assert PROMPT > await _cancelled(runner.read, _sleep)
        assert 0 == await runner.read(_scalar(SLEEPERS))


async def test_a_statement_that_waits_for_a_lock_ends_when_its_task_is_cancelled(options: PostgresOptions) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        with _locked(options):
            assert PROMPT > await _cancelled(store.apply, [Put(account_row())])
        assert (0, []) == (await store.wait_for_change(-1), await store.accounts())


async def test_the_connection_of_a_cancelled_statement_is_kept(options: PostgresOptions) -> None:
    async with store_runner(options) as runner:
        before = await runner.read(_scalar(BACKENDS))
        await _cancelled(runner.read, _sleep)
        assert before == await runner.read(_scalar(BACKENDS))


async def test_a_connection_is_as_new_after_it_was_cancelled(options: PostgresOptions) -> None:
    async with store_runner(options) as runner:
        for _ in range(3):
            await _cancelled(runner.write, _sleep)
        assert 1 == await runner.write(_scalar(text("SELECT 1")))


async def test_a_commit_that_was_sent_is_waited_for(proxy: Any) -> None:
    sent, scope = trio.Event(), trio.CancelScope()

    async def slow(kind: bytes, body: bytes) -> bytes | None:
        if (kind, body) == (b"C", b"COMMIT\0"):
            sent.set()
            await trio.sleep(0.5)  # a disk that is slow
        return body

    async def cancel() -> None:
        await sent.wait()
        scope.cancel()

    async with PostgresStore.open(proxy.options, driver_context()) as store, trio.open_nursery() as nursery:
        proxy.edit = slow
        nursery.start_soon(cancel)
        revision = None
        with scope:
            revision = await store.apply([Put(account_row())])
        assert (1, 1) == (revision, len(await store.accounts()))


async def test_a_server_that_does_not_end_a_statement_is_given_up(proxy: Any) -> None:
    as_it_is = proxy.edit

    async def deaf(kind: bytes, body: bytes) -> bytes | None:
        return None

    async with store_runner(proxy.options) as runner:
        await runner.read(_scalar(text("SELECT 1")))
        proxy.edit = deaf
        assert 5 > await _cancelled(runner.write, _sleep)
        proxy.edit = as_it_is
        assert 1 == await runner.write(_scalar(text("SELECT 1")))


async def test_connecting_to_a_host_that_says_nothing_ends_when_its_task_is_cancelled() -> None:
    silent = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with silent:
        port = silent.socket.getsockname()[1]
        server = Server(PostgresOptions(dsn=f"postgresql://127.0.0.1:{port}/x"))
        assert PROMPT > await _cancelled(trio.to_thread.run_sync, server.connect)
