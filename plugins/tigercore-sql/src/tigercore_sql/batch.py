"""Carry out the changes of a batch in a transaction, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import Connection, Table, Update, bindparam, delete, insert, update
from sqlalchemy.exc import IntegrityError

from tigercore.errors import StaleVersion
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, Change, Put, Record, Remove, TokenAttempt, TokenRow
from tigercore_sql.faults import is_taken
from tigercore_sql.floor import Floor
from tigercore_sql.ring import replace_keys, ring_values
from tigercore_sql.rows import Values, account_values, attempt_values, audit_values, token_values
from tigercore_sql.tables import ACCOUNT, ATTEMPT, AUDIT, KEY_RING, META, TOKEN


def _swap(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("read_id"), table.c.version == bindparam("read_version"))


_NEXT_REVISION = update(META).values(revision=META.c.revision + 1).returning(META.c.revision)
_SWAPS = {table: _swap(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_INSERTS = {table: insert(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_REMOVE = delete(ACCOUNT).where(ACCOUNT.c.id == bindparam("read_id"), ACCOUNT.c.version == bindparam("read_version"))
_REPLACE_ATTEMPT = update(ATTEMPT).where(ATTEMPT.c.id == bindparam("read_id"))

_Rows: TypeAlias = Sequence[AccountRow | TokenRow | KeyRing]


def apply_batch(connection: Connection, changes: Sequence[Change]) -> int:
    """Carry the changes out and return the new revision.

    The revision is written first: where the engine lets writers run beside each other, its row puts them in line, so
    that revisions and audit numbers appear in their order. Neighbours of one kind are one statement: a rotation writes
    pages of them.

    :raises StaleVersion: a change does not fit what stands; the caller rolls back.
    :raises ValueError: a key ring has two keys of one version, or a key has two slots of one provider.
    """
    revision: int = connection.execute(_NEXT_REVISION).scalar_one()
    floor = Floor(connection)
    for _, neighbours in groupby(changes, _kind):
        _carry_out(connection, floor, list(neighbours))
    return revision


def _kind(change: Change) -> tuple[type, bool]:
    """Return what makes neighbours one statement: rows of one table, all new or all there."""
    written = change.row if isinstance(change, Put) else change
    return type(written), isinstance(change, Put) and change.row.version > 0


def _carry_out(connection: Connection, floor: Floor, neighbours: list[Change]) -> None:
    rows = [change.row for change in neighbours if isinstance(change, Put)]
    if accounts := [row for row in rows if isinstance(row, AccountRow)]:
        floor.admit(accounts)
        _put(connection, ACCOUNT, accounts, [account_values(row) for row in accounts])
    elif tokens := [row for row in rows if isinstance(row, TokenRow)]:
        floor.admit(tokens)
        _put(connection, TOKEN, tokens, [token_values(row) for row in tokens])
    else:
        for change in neighbours:
            _carry_out_alone(connection, floor, change)


def _carry_out_alone(connection: Connection, floor: Floor, change: Change) -> None:
    match change:
        case Put(row=KeyRing() as ring):
            values = ring_values(ring)
            floor.move(ring)
            _put(connection, KEY_RING, [ring], [values])
            replace_keys(connection, ring)
        case Remove():
            _remove(connection, change)
        case Record(entry=AuditEntry() as entry):
            connection.execute(insert(AUDIT), audit_values(entry))
        case Record(entry=TokenAttempt() as attempt):
            _record_attempt(connection, attempt)


def _put(connection: Connection, table: Table, rows: _Rows, values: list[Values]) -> None:
    try:
        written = _write(connection, table, rows, values)
    except IntegrityError as error:
        if not is_taken(error):  # a CHECK, say: reading again would not help
            raise
        written = 0  # said below, without the driver's error: it knows the values
    if written != len(rows):
        which = f"{table.name} {rows[0].id}" if len(rows) == 1 else f"one of {len(rows)} rows of {table.name}"
        raise StaleVersion(f"{which} is not at the version that was read, or what must be unique is taken: read again")


def _write(connection: Connection, table: Table, rows: _Rows, values: list[Values]) -> int:
    """Return how many rows were written."""
    if not rows[0].version:
        connection.execute(_INSERTS[table], values)  # its rowcount means nothing where the engine returns the number
        return len(rows)
    read = ({"read_id": row.id, "read_version": row.version} for row in rows)
    return connection.execute(_SWAPS[table], [{**new, **old} for new, old in zip(values, read, strict=True)]).rowcount


def _remove(connection: Connection, change: Remove) -> None:
    gone = connection.execute(_REMOVE, {"read_id": change.id, "read_version": change.version})
    if gone.rowcount != 1:
        raise StaleVersion(f"tc_account {change.id} is not at version {change.version}: read it again")


def _record_attempt(connection: Connection, attempt: TokenAttempt) -> None:
    values = attempt_values(attempt)
    if connection.execute(_REPLACE_ATTEMPT, {**values, "read_id": attempt.id}).rowcount == 0:
        connection.execute(insert(ATTEMPT), values)
