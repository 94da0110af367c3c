"""Connecting to the server: what every connection is set to, and what people are told when there is none."""

from __future__ import annotations

from typing import final

import attrs
import psycopg
from psycopg import IsolationLevel

from tigercore.errors import StoreUnavailable
from tigercore_postgres.connection import StoreConnection
from tigercore_postgres.options import PostgresOptions

OLDEST = 14
"""The major version of the oldest server that will do."""

_LONGEST = 300  # signs of what the server says of itself

_SETTINGS = """
SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false),
       set_config('idle_in_transaction_session_timeout', '10s', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                  ELSE current_setting('synchronous_commit') END, false)
"""
"""In one round trip. With `off` a server loses commits that it has confirmed: a token that is lost. A process that was
stopped in a transaction keeps others from writing for 10 s."""

_REMEDIES = (  # of what libpq says before there is a session: it has no codes
    ("password authentication failed", "correct the password"),
    ("no password supplied", "give the password in DATABASE_URL, PGPASSWORD or ~/.pgpass"),
    ("no pg_hba.conf entry", "let its pg_hba.conf admit this user from this host"),
    (
        "certificate",
        "name its authority with sslrootcert=FILE, and the host as the certificate does",
    ),
    ("does not support SSL", "switch TLS on there, or say in the URL that you do without: sslmode=disable"),
    ('role "', "create the role"),
    ('database "', "create the database: run: createdb DATABASE"),
    ("too many", "give it more connections (max_connections), or tigercore a smaller pool"),
    ("remaining connection slots", "give it more connections (max_connections), or tigercore a smaller pool"),
)
_REMEDY = "check that it runs, and that DATABASE_URL or dsn names it"


@final
@attrs.frozen
class Server:
    """The server of a store. `patient` connections have no limit on how long a statement takes, as to move a schema."""

    options: PostgresOptions
    patient: bool = False

    @property
    def name(self) -> str:
        """Return how errors call the database."""
        return self.options.name

    def connect(self, *, autocommit: bool = False) -> StoreConnection:
        """Return a new connection. It runs in a thread of trio's.

        :raises StoreUnavailable: there is none to be had; the message says what to do.
        """
        try:
            return self._connected(autocommit)
        except psycopg.Error as error:
            fault = f"cannot connect to {self.name}: {_told(error)}"
        raise StoreUnavailable(fault)  # out here, so that the driver's error is not chained to ours

    def _connected(self, autocommit: bool) -> StoreConnection:
        connection = StoreConnection.connect(self.options.conninfo, autocommit=True)
        try:
            self._require_new_enough(connection)
            connection.execute(_SETTINGS, self._limits())
            connection.isolation_level = IsolationLevel.READ_COMMITTED  # whatever the server's default is
            connection.autocommit = autocommit
        except BaseException:
            connection.close()
            raise
        return connection

    def _limits(self) -> tuple[str, str]:
        statement = 0.0 if self.patient else self.options.statement_timeout
        return _milliseconds(self.options.lock_timeout), _milliseconds(statement)

    def _require_new_enough(self, connection: StoreConnection) -> None:
        found = connection.info.server_version // 10_000
        if found < OLDEST:
            raise StoreUnavailable(f"{self.name} is of PostgreSQL {found}: upgrade it to {OLDEST} or newer")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"


def _told(error: psycopg.Error) -> str:
    """Return what libpq says in one line, and what to do. It names hosts, users and files, and never a password."""
    said = " ".join(str(error).split())[:_LONGEST]
    return f"{said}; {next((remedy for mark, remedy in _REMEDIES if mark in said), _REMEDY)}"
