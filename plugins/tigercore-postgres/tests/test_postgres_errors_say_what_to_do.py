import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text

from tests.servers.needed import needed
from tests.servers.postgres import PostgresServer, postgres_server
from tigercore.errors import StoreUnavailable
from tigercore.model import Secret
from tigercore.ports import Put
from tigercore.testing._store_samples import account_row
from tigercore.testing.clock import driver_context
from tigercore_postgres import PostgresOptions, PostgresStore
from tigercore_postgres.engine import store_runner

pytestmark = pytest.mark.postgres


async def _told(options: PostgresOptions) -> str:
    """Return the one line in which opening is refused."""
    with pytest.raises(StoreUnavailable) as refused:
        async with PostgresStore.open(options, driver_context()):
            pass
    assert (None, None) == (refused.value.__cause__, refused.value.__context__)
    assert 1 == len(str(refused.value).splitlines())
    return str(refused.value)


def _with(options: PostgresOptions, **parameters: Any) -> PostgresOptions:
    return attrs.evolve(options, dsn=make_conninfo(options.dsn, **parameters))


async def test_a_database_that_is_not_there_is_told(options: PostgresOptions) -> None:
    assert "create the database: run: createdb" in await _told(_with(options, dbname="nothing"))


async def test_a_role_that_is_not_there_is_told(options: PostgresOptions) -> None:
    assert "create the role" in await _told(_with(options, user="nobody"))


async def test_a_host_where_no_server_runs_is_told(options: PostgresOptions) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    told = await _told(PostgresOptions(dsn=f"postgresql://127.0.0.1:{port}/tigercore"))
    assert told.startswith("cannot connect to the database tigercore on 127.0.0.1: ")
    assert told.endswith("; check that it runs, and that DATABASE_URL or dsn names it")


async def test_a_database_that_was_not_migrated_is_told(empty: PostgresOptions) -> None:
    assert "run: tigercore db migrate" in await _told(empty)


async def test_a_server_that_is_too_old_is_told(proxy: Any) -> None:
    async def older(kind: bytes, body: bytes) -> bytes | None:
        return b"server_version\x0013.23\0" if kind == b"S" and body.startswith(b"server_version\0") else body

    proxy.edit = older
    assert "is of PostgreSQL 13: upgrade it to 14 or newer" in await _told(proxy.options)


async def test_a_database_that_only_reads_is_told(server: PostgresServer, options: PostgresOptions) -> None:
    async with PostgresStore.open(options, driver_context()) as store:
        server.run(f"ALTER DATABASE {conninfo_to_dict(options.dsn)['dbname']} SET default_transaction_read_only = on")
    async with PostgresStore.open(options, driver_context()) as store:
        with pytest.raises(StoreUnavailable, match="25006; it only reads, as a standby does: name the primary server"):
            await store.apply([Put(account_row())])


async def test_others_who_hold_a_lock_too_long_are_told(options: PostgresOptions) -> None:
    hasty = attrs.evolve(options, lock_timeout=0.05)
    async with PostgresStore.open(hasty, driver_context()) as store:
        with psycopg.connect(options.dsn) as other:
            other.execute("SELECT revision FROM tc_meta FOR UPDATE")
            with pytest.raises(StoreUnavailable, match="others were in the way, and nothing was written: try again"):
                await store.apply([Put(account_row())])


async def test_a_statement_that_takes_too_long_is_told(options: PostgresOptions) -> None:
    async with store_runner(attrs.evolve(options, statement_timeout=0.05)) as runner:
        with pytest.raises(StoreUnavailable, match="it took longer than `statement_timeout`"):
            await runner.read(lambda connection: connection.execute(text("SELECT pg_sleep(30)")))


# -- what a session is ------------------------------------------------------------------------------------------


async def _setting(options: PostgresOptions, name: str) -> Any:
    async with store_runner(options) as runner:
        return await runner.write(lambda connection: connection.execute(text(f"SHOW {name}")).scalar_one())


@pytest.mark.parametrize(
    ("name", "others", "ours"),
    [
        ("synchronous_commit", "off", "on"),
        ("synchronous_commit", "remote_apply", "remote_apply"),
        ("default_transaction_isolation", "serializable", "serializable"),
        ("transaction_isolation", "serializable", "read committed"),
        ("client_encoding", "latin1", "UTF8"),
        ("lock_timeout", "0", "5s"),
        ("statement_timeout", "0", "30s"),
        ("idle_in_transaction_session_timeout", "0", "10s"),
    ],
)
async def test_a_session_is_safe_whatever_the_server_is_set_to(
    server: PostgresServer, options: PostgresOptions, database: str, name: str, others: str, ours: str
) -> None:
    set_as = name if name.startswith("default") else name.replace("transaction_isolation", f"default_{name}")
    server.run(f"ALTER DATABASE {database} SET {set_as} = '{others}'")
    assert ours == await _setting(options, name)


async def test_a_session_says_whose_it_is(options: PostgresOptions) -> None:
    assert "tigercore" == await _setting(options, "application_name")


async def test_a_unit_that_reads_sees_one_moment_and_cannot_write(options: PostgresOptions) -> None:
    kinds = text("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
    async with store_runner(options) as runner:
        for _ in range(2):
            reading = await runner.read(lambda connection: connection.execute(kinds).one())
            writing = await runner.write(lambda connection: connection.execute(kinds).one())
            assert [("repeatable read", "on"), ("read committed", "off")] == [tuple(reading), tuple(writing)]


# -- passwords --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Return a server that asks for passwords on the network."""
    rules: Path = tmp_path_factory.mktemp("pg") / "hba"
    rules.write_text("local all all trust\nhost all tigercore 127.0.0.1/32 scram-sha-256\n")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    options = (f"hba_file={rules}", "listen_addresses=127.0.0.1", f"port={port}")
    with needed(postgres_server(*options)) as started:
        started.run("ALTER ROLE tigercore PASSWORD 'the right one'")
        yield started


def _url(guarded: PostgresServer, password: str = "", user: str = "tigercore") -> PostgresOptions:
    port = conninfo_to_dict(guarded.url())["port"]
    return PostgresOptions(url=Secret(f"postgresql+psycopg://{user}:{password}@127.0.0.1:{port}/postgres"))


async def test_a_password_that_is_refused_is_told_and_not_shown(guarded: PostgresServer) -> None:
    told = await _told(_url(guarded, "canary%2F%40"))
    assert "correct the password" in told
    assert "canary" not in told


async def test_a_password_that_lacks_is_asked_for(guarded: PostgresServer) -> None:
    assert "give the password in DATABASE_URL, PGPASSWORD or ~/.pgpass" in await _told(_url(guarded))


async def test_a_user_whom_the_server_does_not_admit_is_told(guarded: PostgresServer) -> None:
    assert "let its pg_hba.conf admit this user" in await _told(_url(guarded, "x", user="stranger"))


async def test_the_right_password_of_a_url_is_taken(guarded: PostgresServer) -> None:
    assert "run: tigercore db migrate" in await _told(_url(guarded, "the%20right%20one"))


async def test_the_right_password_of_the_environment_is_taken(
    guarded: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "the right one")
    port = conninfo_to_dict(guarded.url())["port"]
    told = await _told(PostgresOptions(dsn=f"postgresql://tigercore@127.0.0.1:{port}/postgres"))
    assert "run: tigercore db migrate" in told
