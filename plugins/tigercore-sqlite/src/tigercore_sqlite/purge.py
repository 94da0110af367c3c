"""Overwriting what rows have left behind in the file and in its write-ahead log."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from tigercore.errors import StoreUnavailable
from tigercore_sqlite.patience import Busy, is_busy, patiently


def purge(connection: Connection, path: Path) -> None:
    """Rewrite the file from what is stored, and cut the log to nothing.

    The connection is one of `watch_runner`: no transaction can do this.

    :raises StoreUnavailable: somebody reads or writes all the time; what is stored is as it was.
    """
    try:
        _rewrite(connection)
    except (OperationalError, Busy) as error:
        if not is_busy(error):
            raise
    else:
        return
    raise StoreUnavailable(f"other programs are in the way of purging {path}: stop them, or try again when it is quiet")


def out_of_reach(path: Path) -> list[str]:
    """Return, for people, where a purge leaves old bytes."""
    return [
        f"Backups and copies of {path} still hold what was stored when they were made: delete those that are older.",
        f"Snapshots of the file system under {path.parent} do too, and blocks that it or the disk has set free may: "
        "delete the snapshots, and encrypt the disk.",
    ]


def _rewrite(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA temp_store=MEMORY")  # VACUUM makes a copy, which is not to lie on a disk
    patiently(lambda: _cut_log(connection))
    patiently(lambda: connection.exec_driver_sql("VACUUM"))
    patiently(lambda: _cut_log(connection))


def _cut_log(connection: Connection) -> None:
    if connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]:
        raise Busy
