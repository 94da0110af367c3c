"""What batches have left since a revision, read at one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, Select, Table, bindparam, exists, select

from tigercore.ports import Delta
from tigercore_sql.damage import converted, fetched
from tigercore_sql.ring import read_ring
from tigercore_sql.rows import account_row, token_row
from tigercore_sql.tables import ACCOUNT, META, REMOVED, TOKEN

T = TypeVar("T")

_META = select(META)


def _since(table: Table) -> Select[Any]:
    return select(table).where(table.c.revision > bindparam("after"))


_ACCOUNTS = _since(ACCOUNT).order_by(ACCOUNT.c.number)
_TOKENS = _since(TOKEN)
_REMOVED = _since(REMOVED).where(~exists().where(ACCOUNT.c.id == REMOVED.c.id))


def read_revision(connection: Connection) -> int:
    """Return the store's revision."""
    return converted(META, connection.execute(_META).one(), lambda found: int(found.revision))


def read_delta(connection: Connection, after: int) -> Delta:
    """Return what batches with a revision above this one have left, in the transaction of this connection.

    :raises StoreUnavailable: something else than tigercore has changed a row.
    """
    return Delta(
        read_revision(connection),
        tuple(_read(connection, ACCOUNT, _ACCOUNTS, after, account_row)),
        tuple(_read(connection, TOKEN, _TOKENS, after, token_row)),
        frozenset(_read(connection, REMOVED, _REMOVED, after, _id)),
        read_ring(connection),
    )


def _read(
    connection: Connection, table: Table, query: Select[Any], after: int, convert: Callable[[Row[Any]], T]
) -> list[T]:
    found = fetched(table, connection.execute(query, {"after": after}).all)
    return [converted(table, each, convert) for each in found]


def _id(found: Row[Any]) -> UUID:
    gone: UUID = found.id
    return gone
