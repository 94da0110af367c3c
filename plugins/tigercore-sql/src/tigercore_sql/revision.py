"""Which schema stands, told without alembic, which takes long to import."""

from __future__ import annotations

from sqlalchemy import Connection, column, inspect, select, table

from tigercore.errors import StoreUnavailable
from tigercore.ports import SchemaStatus
from tigercore_sql.tables import VERSION_TABLE

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every revision that this program knows, oldest first; the files are in `migrations/versions`."""

_VERSION = table(VERSION_TABLE, column("version_num"))


def schema_status(connection: Connection) -> SchemaStatus:
    """Tell the revision of the schema, and which ones it lacks."""
    current = _current(connection)
    known = REVISIONS.index(current) + 1 if current in REVISIONS else 0 if current is None else len(REVISIONS)
    return SchemaStatus(current, REVISIONS[-1], REVISIONS[known:], REVISIONS[known - 2] if known > 1 else None)


def require_known(status: SchemaStatus) -> SchemaStatus:
    """Return the status.

    :raises StoreUnavailable: the schema was made by a newer program.
    """
    if status.current is not None and status.current not in REVISIONS:
        raise StoreUnavailable(
            f"the store's schema is revision {status.current}, newer than {status.head}, which this program needs: "
            "upgrade tigercore, or take the schema back with the newer one: tigercore db rollback"
        )
    return status


def require_head(connection: Connection) -> None:
    """Pass if the schema is the one that this program needs.

    :raises StoreUnavailable: it is not; the message names the command to run.
    """
    status = require_known(schema_status(connection))
    if status.pending:
        stands = f"revision {status.current}" if status.current else "empty"
        raise StoreUnavailable(f"the store's schema is {stands}, not {status.head}: run: tigercore db migrate")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(select(_VERSION.c.version_num))
    return found
