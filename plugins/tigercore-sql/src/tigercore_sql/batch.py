"""Carry out batches of changes in a transaction."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import accumulate, groupby
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


_NEXT_REVISION = update(META).values(revision=META.c.revision + bindparam("steps")).returning(META.c.revision)
SAME_REVISION = select(META.c.revision).with_for_update()
"""Get in line with those who write, and move nothing."""

_SWAPS = {table: _swap(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_INSERTS = {table: insert(table) for table in (ACCOUNT, TOKEN, KEY_RING, ATTEMPT, AUDIT)}
_REMOVE = delete(ACCOUNT).where(ACCOUNT.c.id == bindparam("read_id"), ACCOUNT.c.version == bindparam("read_version"))
_FORGET_REMOVED = delete(REMOVED).where(REMOVED.c.id == bindparam("read_id"))
_REPLACE_ATTEMPT = update(ATTEMPT).where(ATTEMPT.c.id == bindparam("read_id"))

_TOGETHER = {
    kind: at
    for at, kind in enumerate(
        (
            (AccountRow, True),
            (AccountRow, False),
            (TokenRow, True),
            (TokenRow, False),
            (TokenAttempt, False),
            (TokenAttempt, True),
            (AuditEntry, False),
        )
    )
}
"""In what order kinds are written where batches stand together: an account before its token."""

_Rows: TypeAlias = Sequence[AccountRow | TokenRow | KeyRing]


def moves(changes: Sequence[Change]) -> bool:
    """Say whether the batch moves the revision: it does more than record."""
    return not all(isinstance(change, Record) for change in changes)


def touched(changes: Sequence[Change]) -> set[Hashable] | None:
    """Return what a batch writes to, None if it must stand alone: its order matters, or it touches more than rows.

    Batches of which none touches what another does may be carried out together, kind by kind.
    """
    kinds = [_TOGETHER.get(_kind(change), -1) for change in changes]
    if -1 in kinds or kinds != sorted(kinds):
        return None
    rows = [(type(change.row), change.row.id) for change in changes if isinstance(change, Put)]
    entries = (change.entry for change in changes if isinstance(change, Record))
    places: list[Hashable] = [*rows, *(entry.id for entry in entries if isinstance(entry, TokenAttempt))]
    return set(places) if len(set(places)) == len(places) else None


def apply_batches(connection: Connection, batches: Sequence[Sequence[Change]]) -> list[int]:
    """Carry out one batch in its order, or several that can stand together; return the revision after each.

    The revision is taken first: where the engine lets writers run beside each other, its row puts them in line, so
    that revisions and audit numbers appear in their order. Neighbours of one kind are one statement: a rotation writes
    pages of them, and what many tasks write at the same time costs little more than what one does.

    :raises StaleVersion: a change does not fit what stands; the caller rolls back.
    :raises ValueError: a key ring has two keys of one version, or a key has two slots of one provider.
    """
    moved = [moves(batch) for batch in batches]
    revisions = _revisions(connection, moved)
    stamped = [(change, revision) for batch, revision in zip(batches, revisions, strict=True) for change in batch]
    if len(batches) > 1:
        stamped.sort(key=lambda each: _TOGETHER[_kind(each[0])])  # a stable sort: each log keeps its order
    writer = _Writer(connection, Floor(connection))
    for _, neighbours in groupby(stamped, lambda each: _kind(each[0])):
        writer.carry_out(list(neighbours))
    return revisions


def next_revision(connection: Connection, steps: int = 1) -> int:
    """Move the revision and return it; who does has the writers' turn until the transaction ends."""
    return int(connection.execute(_NEXT_REVISION, {"steps": steps}).scalar_one())


def _revisions(connection: Connection, moved: Sequence[bool]) -> list[int]:
    steps = sum(moved)
    last = next_revision(connection, steps) if steps else int(connection.execute(SAME_REVISION).scalar_one())
    return list(accumulate(moved, initial=last - steps))[1:]


def _kind(change: Change) -> tuple[type, bool]:
    """Return what makes neighbours one statement: entries of one log, or rows of one table, all new or all there."""
    match change:
        case Put(row=row):
            return type(row), row.version > 0
        case Record(entry=TokenAttempt() as attempt):
            return TokenAttempt, attempt.ended_at is not None
        case Record(entry=entry):
            return type(entry), False
        case Remove():
            return Remove, False


@final
@attrs.frozen
class _Writer:
    connection: Connection
    floor: Floor

    def carry_out(self, neighbours: Sequence[tuple[Change, int]]) -> None:
        puts = [(change.row, revision) for change, revision in neighbours if isinstance(change, Put)]
        entries = [change.entry for change, _ in neighbours if isinstance(change, Record)]
        if accounts := [(row, stamp(account_values(row), at)) for row, at in puts if isinstance(row, AccountRow)]:
            self._put(ACCOUNT, accounts)
        elif tokens := [(row, stamp(token_values(row), at)) for row, at in puts if isinstance(row, TokenRow)]:
            self._put(TOKEN, tokens)
        elif lines := [audit_values(entry) for entry in entries if isinstance(entry, AuditEntry)]:
            self.connection.execute(_INSERTS[AUDIT], lines)
        elif attempts := [attempt_values(entry) for entry in entries if isinstance(entry, TokenAttempt)]:
            self._record_attempts(attempts)
        else:
            for change, revision in neighbours:
                self._carry_out_alone(change, revision)

    def _carry_out_alone(self, change: Change, revision: int) -> None:
        match change:
            case Put(row=KeyRing() as ring):
                self._put_ring(ring)
            case Remove():
                self._remove(change, revision)

    def _put(self, table: Table, rows: Sequence[tuple[AccountRow | TokenRow, Values]]) -> None:
        self.floor.admit([row for row, _ in rows])
        _put(self.connection, table, [row for row, _ in rows], [values for _, values in rows])

    def _put_ring(self, ring: KeyRing) -> None:
        values = ring_values(ring)
        self.floor.move(ring)
        _put(self.connection, KEY_RING, [ring], [values])
        replace_keys(self.connection, ring)

    def _remove(self, change: Remove, revision: int) -> None:
        gone = self.connection.execute(_REMOVE, {"read_id": change.id, "read_version": change.version})
        if gone.rowcount != 1:
            raise StaleVersion(f"tc_account {change.id} is not at version {change.version}: read it again")
        self.connection.execute(_FORGET_REMOVED, {"read_id": change.id})  # of an account that had this id before
        self.connection.execute(insert(REMOVED), {"id": change.id, "revision": revision})

    def _record_attempts(self, attempts: Sequence[Values]) -> None:
        written = self.connection.execute(_REPLACE_ATTEMPT, [{**each, "read_id": each["id"]} for each in attempts])
        if written.rowcount == 0 and len({each["id"] for each in attempts}) == len(attempts):
            self.connection.execute(_INSERTS[ATTEMPT], attempts)
        elif written.rowcount != len(attempts):  # some are new: one after the other
            for each in attempts:
                if self.connection.execute(_REPLACE_ATTEMPT, {**each, "read_id": each["id"]}).rowcount == 0:
                    self.connection.execute(_INSERTS[ATTEMPT], each)


def stamp(values: Values, revision: int) -> Values:
    """Return the columns of a row with the revision that puts it."""
    return {**values, "revision": revision}


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
