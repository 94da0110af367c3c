"""Waiting for other processes, in small portions, so that a caller who gives up is free at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar, final

import trio
from sqlalchemy.exc import OperationalError

T = TypeVar("T")

BUSY_MS = 100
"""How long SQLite itself waits for a lock: nothing can interrupt it meanwhile."""

_PATIENCE = 10.0
_PAUSE = 0.02  # where SQLite does not wait at all, as when the journal's mode changes


@final
class Busy(Exception):
    """Another program is in the way, where SQLite says so without an error."""


def patiently(work: Callable[[], T]) -> T:
    """Do the work, again and again while others hold the lock, for 10 s in all. It runs in a thread of trio's.

    :raises OperationalError: the lock was held all the time, or the database failed in another way.
    :raises Busy: the work has raised it all the time.
    :raises trio.Cancelled: the task that waits for this thread was cancelled.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return work()
        except (OperationalError, sqlite3.OperationalError, Busy) as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        trio.from_thread.run(trio.sleep, _PAUSE)


def is_busy(error: OperationalError | sqlite3.OperationalError | Busy) -> bool:
    """Say whether another program was in the way."""
    cause = getattr(error, "orig", None) or error
    code: int = getattr(cause, "sqlite_errorcode", 0)
    return isinstance(error, Busy) or code & 0xFF == sqlite3.SQLITE_BUSY  # the rest of the code tells why
