from collections.abc import Iterator
from typing import Any

import pytest
import trio
from sqlalchemy import text

from tests.servers.needed import needed
from tests.servers.postgres import PostgresServer, postgres_server
from tigercore.errors import StoreUnavailable
from tigercore.ports import Put
from tigercore.testing._store_samples import account_row
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore
from tigercore_postgres.engine import store_runner

pytestmark = pytest.mark.postgres

LOST = "the connection was lost, and nothing was written: try again"
UNKNOWN = "it is unknown whether this was written: read again before you write it again"


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """Return a server that may be stopped."""
    with needed(postgres_server()) as started:
        yield started


@pytest.fixture
async def mine(own: PostgresServer) -> PostgresOptions:
    own.run("DROP DATABASE IF EXISTS mine WITH (FORCE)")
    options = PostgresOptions(dsn=own.create_database("mine"))
    await PostgresStore.schema(options).migrate()
    return options


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_was_restarted_while_nobody_asked_is_not_noticed(
    own: PostgresServer, mine: PostgresOptions, mode: Any
) -> None:
    async with PostgresStore.open(mine, driver_context()) as store:
        await store.apply([Put(account_row())])
        await trio.to_thread.run_sync(own.stop, mode)
        await trio.to_thread.run_sync(own.start)
        assert 1 == len(await store.accounts())
        assert 2 == await store.apply([Put(account_row())])


async def test_a_server_that_is_down_is_told_and_found_again(own: PostgresServer, mine: PostgresOptions) -> None:
    async with PostgresStore.open(mine, driver_context()) as store:
        await trio.to_thread.run_sync(own.stop)
        with pytest.raises(StoreUnavailable, match=r"cannot connect to the database mine on .*; check that it runs"):
            await store.apply([Put(account_row())])
        await trio.to_thread.run_sync(own.start)
        assert 1 == await store.apply([Put(account_row())])


async def test_a_connection_that_is_lost_in_the_middle_fails_one_unit(
    server: PostgresServer, options: PostgresOptions, database: str
) -> None:
    terminate = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    async with store_runner(options) as runner:

        def lose(connection: Any) -> None:
            connection.execute(text("SELECT 1"))
            server.run(terminate)
            connection.execute(text("SELECT 1"))

        with pytest.raises(StoreUnavailable, match=LOST):
            await runner.write(lose)
        assert 1 == await runner.write(lambda connection: connection.execute(text("SELECT 1")).scalar_one())


async def test_a_commit_whose_answer_was_lost_is_told_as_unknown(proxy: Any) -> None:
    async def cut(kind: bytes, body: bytes) -> bytes | None:
        if (kind, body) == (b"C", b"COMMIT\0"):
            raise EOFError
        return body

    as_it_is = proxy.edit
    async with PostgresStore.open(proxy.options, driver_context()) as store:
        proxy.edit = cut
        with pytest.raises(StoreUnavailable, match=UNKNOWN):
            await store.apply([Put(account_row())])
        proxy.edit = as_it_is
        assert 1 == len(await store.accounts())  # this time it was
