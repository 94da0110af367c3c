"""The launcher of PostgreSQL: it changes nothing that is not its own, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers import MissingServer, postgres_cluster
from tests.servers.needed import ALLOWED, needed
from tests.servers.postgres import GIVEN, PostgresServer, any_server, find_postgres, postgres_server

pytestmark = pytest.mark.postgres

_ROOT = Path(__file__).parents[2]

VICTIM = """
from tests.servers.postgres import postgres_server
with postgres_server() as server:
    print(server.url(), flush=True)
    input()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with needed(postgres_server()) as server:
        yield server


@pytest.fixture
def table(server: PostgresServer) -> Iterator[str]:
    """Return the URL of a database with a table `t`."""
    url = server.create_database("first")
    server.run("CREATE TABLE t (a int)", "first")
    yield url
    server.drop_database("first")


def rows(url: str) -> list[tuple[int]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT a FROM t").fetchall()


def setting(server: PostgresServer, name: str) -> str:
    with psycopg.connect(server.url()) as connection:
        found = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert found is not None
    return str(found[0])


def folder(server: PostgresServer) -> Path:
    return Path(setting(server, "unix_socket_directories"))


def test_a_database_is_a_copy_of_its_template(server: PostgresServer, table: str) -> None:
    server.run("INSERT INTO t VALUES (7)", "first")
    assert [(7,)] == rows(server.create_database("second", "first"))


def test_a_database_is_dropped_under_its_connections(server: PostgresServer) -> None:
    with psycopg.connect(server.create_database("held")) as connection:
        server.drop_database("held")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_a_url_names_another_user(server: PostgresServer) -> None:
    server.run("CREATE ROLE guest LOGIN")
    with psycopg.connect(server.url(user="guest")) as connection:
        assert ("guest",) == connection.execute("SELECT current_user").fetchone()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_what_was_committed_is_there_after_a_stop(server: PostgresServer, table: str, mode: str) -> None:
    server.run("INSERT INTO t VALUES (7)", "first")
    server.stop(mode)  # type: ignore[arg-type]
    server.start()
    assert [(7,)] == rows(table)


def test_a_stopped_server_refuses_connections(server: PostgresServer) -> None:
    server.stop()
    try:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url())
    finally:
        server.start()


def test_it_listens_on_no_network(server: PostgresServer) -> None:
    assert "" == setting(server, "listen_addresses")


def test_its_folder_is_open_to_its_owner_alone(server: PostgresServer) -> None:
    assert 0 == folder(server).stat().st_mode & 0o077


def test_an_option_is_taken() -> None:
    with needed(postgres_server("fsync=on")) as server:
        assert "on" == setting(server, "fsync")


def test_the_path_of_the_socket_stays_short_below_a_long_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with needed(postgres_server()) as server:
        assert "on" == setting(server, "autovacuum")


def test_nothing_stays_when_the_test_is_over() -> None:
    with needed(postgres_server()) as server:
        kept = folder(server)
    assert not kept.exists()


def test_nothing_stays_when_the_test_run_is_killed(server: PostgresServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute("SHOW unix_socket_directories").fetchone()
            run.send_signal(signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT pg_sleep(8)")  # it is told to end; without, it lives until its data go
    assert found is not None
    _gone(Path(found[0]))


def _gone(path: Path) -> None:
    watch = ["sh", "-c", 'for _ in $(seq 200); do [ -e "$0" ] || exit 0; sleep 0.05; done; exit 1', str(path)]
    assert 0 == subprocess.run(watch).returncode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts it as somebody else")
def test_without_a_map_of_users_root_starts_it_as_nobody_from_a_copy_of_private_binaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = postgres_cluster._runs
    monkeypatch.setattr(postgres_cluster, "_runs", lambda command: command[0] != "unshare" and runs(command))
    found = find_postgres()
    places = [postgres_cluster._copied(found, tmp_path)] if found else []  # below a folder of root's alone
    with needed(postgres_server(places=places)) as server:
        assert "nobody" == folder(server).owner()


def test_a_server_that_does_not_start_says_why() -> None:
    with (
        pytest.raises(MissingServer, match="no_such_setting"),
        postgres_server("no_such_setting=1"),
    ):
        pass


def test_binaries_are_looked_for_in_order(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("none", "half", "whole", "later")]
    for place in places:
        place.mkdir()
    for place in places[1:]:
        (place / "postgres").touch()
    for place in places[2:]:
        (place / "initdb").touch()
    assert tmp_path / "whole" == find_postgres(places)


@pytest.mark.parametrize(("allowed", "outcome"), [("", pytest.fail.Exception), ("1", pytest.skip.Exception)])
def test_a_missing_server_fails_what_needs_it_unless_that_may_be_skipped(
    allowed: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, allowed)
    assert outcome is type(missing())


def test_a_missing_server_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED, raising=False)
    assert "run `uv sync --group servers`" in str(missing()).partition("\n")[0]


def missing() -> BaseException:
    """Return how a test ends that needs a server where there is none."""
    ends = (pytest.fail.Exception, pytest.skip.Exception)
    with pytest.raises(ends) as ended, needed(postgres_server(places=[])):
        pass
    return ended.value


def test_a_server_that_is_given_is_the_one(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, server.url())
    with any_server() as found:
        assert server.url("x") == found.url("x")


def test_a_server_that_is_given_is_not_stopped(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, server.url())
    with any_server() as found, pytest.raises(RuntimeError, match="not ours to stop"):
        found.stop()


def test_a_server_that_is_given_keeps_its_password_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, "postgresql://me:hidden@host/db")
    with any_server() as found:
        assert "hidden" not in repr(found)
