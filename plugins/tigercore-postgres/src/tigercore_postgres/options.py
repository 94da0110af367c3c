"""The options of the driver."""

from __future__ import annotations

from typing import final

import attrs
from psycopg.conninfo import make_conninfo

from tigercore.model import Secret
from tigercore_postgres.conninfo import Parameters, completed, parsed, shown

WRITERS = 2
"""Connections that write. Batches of all processes are in one line, so more would only stand in it."""


@final
@attrs.frozen
class PostgresOptions:
    """Where the database is: `url` with a password comes from DATABASE_URL, `dsn` without one may stand in a file.

    Both are what libpq takes. `pool` is how many connections are kept; timeouts are in seconds.
    """

    url: Secret | None = None
    dsn: str = ""
    pool: int = attrs.field(default=8, validator=attrs.validators.gt(WRITERS))
    lock_timeout: float = attrs.field(default=5.0, validator=attrs.validators.gt(0))
    statement_timeout: float = attrs.field(default=30.0, validator=attrs.validators.gt(0))

    def __attrs_post_init__(self) -> None:
        if bool(self.url) == bool(self.dsn):
            raise ValueError("name the database once: in DATABASE_URL, or without a password as dsn")
        named = "url" if self.url else "dsn"
        try:
            found = self._parsed()
        except ValueError as error:
            raise ValueError(f"{named}: {error}") from None
        if self.dsn and "password" in found:
            raise ValueError("dsn: a password is never written here: use DATABASE_URL, PGPASSWORD or ~/.pgpass")

    @property
    def conninfo(self) -> str:
        """Return what libpq is told. The password is among it."""
        return make_conninfo(**completed(self._parsed()))

    @property
    def name(self) -> str:
        """Return how errors call the database."""
        return shown(self._parsed())

    def _parsed(self) -> Parameters:
        return parsed(self.url.reveal() if self.url else self.dsn)
