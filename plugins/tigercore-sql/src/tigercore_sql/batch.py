"""Carry out the changes of a batch in a transaction, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, Update, bindparam, delete, insert, update
from sqlalchemy.exc import IntegrityError

from tigercore.errors import StaleVersion
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, Change, Put, Record, Remove, TokenAttempt, TokenRow
from tigercore_sql.faults import is_taken
from tigercore_sql.rows import (
    Values,
    account_values,
    attempt_values,
    audit_values,
    key_values,
    ring_values,
    token_values,
)
from tigercore_sql.tables import ACCOUNT, ATTEMPT, AUDIT, KEK, KEY_RING, META, TOKEN


def _swap(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("read_id"), table.c.version == bindparam("read_version"))


_NEXT_REVISION = update(META).values(revision=META.c.revision + 1).returning(META.c.revision)
_SWAPS = {table: _swap(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_INSERTS = {table: insert(table) for table in (ACCOUNT, TOKEN, KEY_RING)}
_REMOVE = delete(ACCOUNT).where(ACCOUNT.c.id == bindparam("read_id"), ACCOUNT.c.version == bindparam("read_version"))
_DROP_KEYS = delete(KEK).where(KEK.c.ring_id == bindparam("read_id"))
_REPLACE_ATTEMPT = update(ATTEMPT).where(ATTEMPT.c.id == bindparam("read_id"))


def apply_batch(connection: Connection, changes: Sequence[Change]) -> int:
    """Carry the changes out and return the new revision.

    The revision is written first: where the engine lets writers run beside each other, its row puts them in line, so
    that revisions and audit numbers appear in their order.

    :raises StaleVersion: a change does not fit what stands; the caller rolls back.
    :raises ValueError: a key ring has two keys of one version.
    """
    revision: int = connection.execute(_NEXT_REVISION).scalar_one()
    for change in changes:
        _carry_out(connection, change)
    return revision


def _carry_out(connection: Connection, change: Change) -> None:
    match change:
        case Put(row=AccountRow() as account):
            _put(connection, ACCOUNT, account, account_values(account))
        case Put(row=TokenRow() as token):
            _put(connection, TOKEN, token, token_values(token))
        case Put(row=KeyRing() as ring):
            _put(connection, KEY_RING, ring, ring_values(ring))
            _put_keys(connection, ring)
        case Remove():
            _remove(connection, change)
        case Record(entry=AuditEntry() as entry):
            connection.execute(insert(AUDIT), audit_values(entry))
        case Record(entry=TokenAttempt() as attempt):
            _record_attempt(connection, attempt)


def _put(connection: Connection, table: Table, row: AccountRow | TokenRow | KeyRing, values: Values) -> None:
    try:
        written = _write(connection, table, row, values)
    except IntegrityError as error:
        if not is_taken(error):  # a CHECK, say: reading again would not help
            raise
        written = False  # said below, without the driver's error: it knows the values
    if not written:
        raise StaleVersion(
            f"{table.name} {row.id} is not at version {row.version}, or what must be unique is taken: read it again"
        )


def _write(connection: Connection, table: Table, row: AccountRow | TokenRow | KeyRing, values: Values) -> bool:
    if row.version:
        values |= {"read_id": row.id, "read_version": row.version}
        return connection.execute(_SWAPS[table], values).rowcount == 1
    connection.execute(_INSERTS[table], values)  # its rowcount means nothing where the engine returns the number
    return True


def _put_keys(connection: Connection, ring: KeyRing) -> None:
    if len({key.version for key in ring.keys}) < len(ring.keys):
        raise ValueError(f"key ring {ring.id} has two keys of one version")
    connection.execute(_DROP_KEYS, {"read_id": ring.id})
    if ring.keys:
        connection.execute(insert(KEK), [key_values(ring, key) for key in ring.keys])


def _remove(connection: Connection, change: Remove) -> None:
    gone = connection.execute(_REMOVE, {"read_id": change.id, "read_version": change.version})
    if gone.rowcount != 1:
        raise StaleVersion(f"tc_account {change.id} is not at version {change.version}: read it again")


def _record_attempt(connection: Connection, attempt: TokenAttempt) -> None:
    values = attempt_values(attempt)
    if connection.execute(_REPLACE_ATTEMPT, {**values, "read_id": attempt.id}).rowcount == 0:
        connection.execute(insert(ATTEMPT), values)
