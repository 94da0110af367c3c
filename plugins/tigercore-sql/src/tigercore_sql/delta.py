"""What batches have left since a revision, read at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, exists, select

from tigercore.ports import Delta
from tigercore_sql.damage import converted, fetched
from tigercore_sql.ring import read_ring
from tigercore_sql.rows import account_row, known_moment, token_row
from tigercore_sql.tables import ACCOUNT, META, REMOVED, TOKEN

_META = select(META)


def _since(table: Table) -> Select[Any]:
    return select(table).where(table.c.revision > bindparam("after"))


_ACCOUNTS = _since(ACCOUNT)  # not in order: SQLite would then read the whole table, and not the index of revisions
_TOKENS = _since(TOKEN)
_REMOVED = _since(REMOVED).where(~exists().where(ACCOUNT.c.id == REMOVED.c.id))


def read_revision(connection: Connection) -> int:
    """Return the store's revision."""
    return converted(META, connection.execute(_META).one(), lambda found: int(found.revision))


def read_delta(connection: Connection, after: int, clock: ColumnElement[int]) -> Delta:
    """Return what batches with a revision above this one have left, in the transaction of this connection.

    `clock` gives the database's own time, in microseconds since 1970.

    :raises StoreUnavailable: something else than tigercore has changed a row.
    """
    found = connection.execute(select(META, clock.label("now"))).one()
    revision = converted(META, found, lambda each: int(each.revision))
    accounts = sorted(_read(connection, ACCOUNT, _ACCOUNTS, after), key=lambda each: each.number)
    tokens = _read(connection, TOKEN, _TOKENS, after)
    removed = _read(connection, REMOVED, _REMOVED, after)
    return Delta(
        revision,
        tuple(converted(ACCOUNT, each, account_row) for each in accounts),
        tuple(converted(TOKEN, each, token_row) for each in tokens),
        frozenset(converted(REMOVED, each, _id) for each in removed),
        read_ring(connection),
        known_moment(found.now),
    )


def _read(connection: Connection, table: Table, query: Select[Any], after: int) -> Sequence[Row[Any]]:
    return fetched(table, connection.execute(query, {"after": after}).all)


def _id(found: Row[Any]) -> UUID:
    gone: UUID = found.id
    return gone
