"""Rewriting the tables without what was replaced and removed."""

from __future__ import annotations

import time
from typing import final

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
_DATABASE_IS_OURS = text("SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()")
_SAMPLES = "pg_statistic"  # the planner's, with values of rows that are gone
_SAMPLES_STAY = (
    "The server's samples of the tables may hold old values: "
    "let the owner of the database run VACUUM FULL pg_statistic."
)

_OLDER = text("""
SELECT count(*) FROM (
    SELECT backend_xmin AS held FROM pg_stat_activity WHERE datname = current_database() OR datname IS NULL
    UNION ALL SELECT backend_xid FROM pg_stat_activity WHERE datname = current_database()
    UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL SELECT xmin FROM pg_replication_slots
) AS horizon WHERE age(held) > age(CAST(:mark AS xid))
""")
"""Whoever may still look at what was there before the mark, which VACUUM therefore keeps."""


@final
class _InTheWay(Exception):
    """A transaction that began before has not ended."""


def purge(connection: Connection, name: str) -> list[str]:
    """Rewrite our tables from what is stored, and the server's samples of them; return what is out of reach.

    The connection is one of `purge_runner`: no transaction can do this.

    :raises StoreUnavailable: somebody reads or writes all the time, or the tables are another role's; what is stored is
        as it was.
    """
    tables = connection.execute(_TABLES).all()
    if not all(table.ours for table in tables):  # VACUUM would only warn
        raise StoreUnavailable(f"the tables of {name} belong to another role: purge as the role that has migrated them")
    samples_too = connection.execute(_DATABASE_IS_OURS).scalar_one()
    try:
        _rewrite(connection, *(table.name for table in tables))
        if samples_too:
            _rewrite(connection, _SAMPLES)
    except (_InTheWay, OperationalError) as error:
        if isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) != _BUSY:
            raise
    else:
        return [*_out_of_reach(name), *([] if samples_too else [_SAMPLES_STAY])]
    raise StoreUnavailable(f"other programs are in the way of purging {name}: stop them, or try again when it is quiet")


def _rewrite(connection: Connection, *tables: str) -> None:
    _wait_until_unseen(connection)
    for table in tables:
        connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table}")


def _wait_until_unseen(connection: Connection) -> None:
    """Wait until nobody can see any more what was there before."""
    mark = connection.exec_driver_sql("SELECT CAST(pg_current_xact_id() AS xid)").scalar_one()
    deadline = time.monotonic() + _PATIENCE
    while connection.execute(_OLDER, {"mark": str(mark)}).scalar_one():
        if time.monotonic() > deadline:
            raise _InTheWay
        trio.from_thread.run(trio.sleep, _PAUSE)


def _out_of_reach(name: str) -> list[str]:
    return [
        f"Backups and dumps of {name} still hold what was stored when they were made: delete those that are older.",
        "The server's write-ahead log does until its segments are used again, and so do archives of it: delete "
        "archived segments that are older.",
        "A replica does until it has replayed this purge, and then its own log does.",
        "Snapshots of the server's disk do too, and blocks that the file system or the disk has set free may: "
        "delete the snapshots, and encrypt the disk.",
    ]
