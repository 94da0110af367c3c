"""Rewriting the tables without what was replaced and removed."""

from __future__ import annotations

import time

import trio
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from tigercore.errors import StoreUnavailable

_PATIENCE = 10.0  # seconds
_PAUSE = 0.05
_BUSY = "55P03"  # lock_not_available

_TABLES = text("""
SELECT CAST(CAST(oid AS regclass) AS text) AS name, pg_has_role(relowner, 'USAGE') AS ours FROM pg_class
WHERE relkind = 'r' AND starts_with(relname, 'tc_') AND pg_table_is_visible(oid) ORDER BY relname
""")
_OLDER = text("""
SELECT count(*) FROM (
    SELECT backend_xmin AS held FROM pg_stat_activity WHERE datname = current_database() OR datname IS NULL
    UNION ALL SELECT backend_xid FROM pg_stat_activity WHERE datname = current_database()
    UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL SELECT xmin FROM pg_replication_slots
) AS horizon WHERE age(held) > age(CAST(:mark AS xid))
""")
"""Whoever may still look at what was there before the mark, which VACUUM therefore keeps."""


def purge(connection: Connection, name: str) -> None:
    """Rewrite our tables from what is stored, with their indexes and statistics.

    The connection is one of `purge_runner`: no transaction can do this.

    :raises StoreUnavailable: somebody reads or writes all the time, or the tables are another role's; what is stored is
        as it was.
    """
    tables = connection.execute(_TABLES).all()
    if not all(table.ours for table in tables):  # VACUUM would only warn
        raise StoreUnavailable(f"the tables of {name} belong to another role: purge as the role that has migrated them")
    try:
        if _quiet(connection):
            for table in tables:
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table.name}")
            return
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _BUSY:
            raise
    raise StoreUnavailable(f"other programs are in the way of purging {name}: stop them, or try again when it is quiet")


def _quiet(connection: Connection) -> bool:
    """Wait until nobody can see any more what was there before, and say whether it came to that."""
    mark = connection.exec_driver_sql("SELECT CAST(pg_current_xact_id() AS xid)").scalar_one()
    deadline = time.monotonic() + _PATIENCE
    while connection.execute(_OLDER, {"mark": str(mark)}).scalar_one():
        if time.monotonic() > deadline:
            return False
        trio.from_thread.run(trio.sleep, _PAUSE)
    return True


def out_of_reach(name: str) -> list[str]:
    """Return, for people, where a purge leaves old bytes."""
    return [
        f"Backups and dumps of {name} still hold what was stored when they were made: delete those that are older.",
        "The server's write-ahead log does until its segments are used again, and so do archives of it: delete "
        "archived segments that are older.",
        "A replica does until it has replayed this purge, and then its own log does.",
        "Snapshots of the server's disk do too, and blocks that the file system or the disk has set free may: "
        "delete the snapshots, and encrypt the disk.",
    ]
