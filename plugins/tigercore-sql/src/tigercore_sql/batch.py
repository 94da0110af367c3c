"""Carry out the changes of a batch in a transaction, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeAlias, final

import attrs
from sqlalchemy import Connection, Table, Update, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tigercore.errors import StaleVersion
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, Change, Put, Record, Remove, TokenAttempt, TokenRow
from tigercore_sql.faults import is_taken
from tigercore_sql.floor import Floor
from tigercore_sql.ring import replace_keys, ring_values
from tigercore_sql.rows import Values, account_values, attempt_values, audit_values, token_values
from tigercore_sql.tables import ACCOUNT, ATTEMPT, AUDIT, KEY_RING, META, REMOVED, TOKEN


def _swap(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("read_id"), table.c.version == bindparam("read_version"))


NEXT_REVISION = update(META).values(revision=META.c.revision + 1).returning(META.c.revision)
SAME_REVISION = select(META.c.revision).with_for_update()
"""Get in line with those who write, and move nothing."""

_SWAPS = {table: _swap(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_INSERTS = {table: insert(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_REMOVE = delete(ACCOUNT).where(ACCOUNT.c.id == bindparam("read_id"), ACCOUNT.c.version == bindparam("read_version"))
_FORGET_REMOVED = delete(REMOVED).where(REMOVED.c.id == bindparam("read_id"))
_REPLACE_ATTEMPT = update(ATTEMPT).where(ATTEMPT.c.id == bindparam("read_id"))

_Rows: TypeAlias = Sequence[AccountRow | TokenRow | KeyRing]


def moves(changes: Sequence[Change]) -> bool:
    """Say whether the batch moves the revision: it does more than record."""
    return not all(isinstance(change, Record) for change in changes)


def apply_batch(connection: Connection, changes: Sequence[Change]) -> int:
    """Carry the changes out and return the revision after them.

    The revision is taken first: where the engine lets writers run beside each other, its row puts them in line, so
    that revisions and audit numbers appear in their order. Neighbours of one kind are one statement: a rotation writes
    pages of them.

    :raises StaleVersion: a change does not fit what stands; the caller rolls back.
    :raises ValueError: a key ring has two keys of one version, or a key has two slots of one provider.
    """
    revision: int = connection.execute(NEXT_REVISION if moves(changes) else SAME_REVISION).scalar_one()
    batch = _Batch(connection, revision, Floor(connection))
    for _, neighbours in groupby(changes, _kind):
        batch.carry_out(list(neighbours))
    return revision


def _kind(change: Change) -> tuple[type, bool]:
    """Return what makes neighbours one statement: entries of one log, or rows of one table, all new or all there."""
    match change:
        case Put(row=row):
            return type(row), row.version > 0
        case Record(entry=entry):
            return type(entry), False
        case Remove():
            return Remove, False


@final
@attrs.frozen
class _Batch:
    connection: Connection
    revision: int
    floor: Floor

    def carry_out(self, neighbours: Sequence[Change]) -> None:
        puts = [change.row for change in neighbours if isinstance(change, Put)]
        entries = [change.entry for change in neighbours if isinstance(change, Record)]
        if accounts := [row for row in puts if isinstance(row, AccountRow)]:
            self._put(ACCOUNT, accounts, [account_values(row) for row in accounts])
        elif tokens := [row for row in puts if isinstance(row, TokenRow)]:
            self._put(TOKEN, tokens, [token_values(row) for row in tokens])
        elif lines := [entry for entry in entries if isinstance(entry, AuditEntry)]:
            self.connection.execute(insert(AUDIT), [audit_values(line) for line in lines])
        else:
            for change in neighbours:
                self._carry_out_alone(change)

    def _carry_out_alone(self, change: Change) -> None:
        match change:
            case Put(row=KeyRing() as ring):
                self._put_ring(ring)
            case Remove():
                self._remove(change)
            case Record(entry=TokenAttempt() as attempt):
                self._record_attempt(attempt)

    def _put(self, table: Table, rows: Sequence[AccountRow | TokenRow], values: list[Values]) -> None:
        self.floor.admit(rows)
        _put(self.connection, table, rows, [{**each, "revision": self.revision} for each in values])

    def _put_ring(self, ring: KeyRing) -> None:
        values = ring_values(ring)
        self.floor.move(ring)
        _put(self.connection, KEY_RING, [ring], [values])
        replace_keys(self.connection, ring)

    def _remove(self, change: Remove) -> None:
        gone = self.connection.execute(_REMOVE, {"read_id": change.id, "read_version": change.version})
        if gone.rowcount != 1:
            raise StaleVersion(f"tc_account {change.id} is not at version {change.version}: read it again")
        self.connection.execute(_FORGET_REMOVED, {"read_id": change.id})  # of an account that had this id before
        self.connection.execute(insert(REMOVED), {"id": change.id, "revision": self.revision})

    def _record_attempt(self, attempt: TokenAttempt) -> None:
        values = attempt_values(attempt)
        if self.connection.execute(_REPLACE_ATTEMPT, {**values, "read_id": attempt.id}).rowcount == 0:
            self.connection.execute(insert(ATTEMPT), values)


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
