"""What an error of the database may tell: codes and names of constraints, never a value."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

_TAKEN = {
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_ROWID",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
    "23505",  # unique_violation of PostgreSQL
    "23503",  # foreign_key_violation
}
_FULL = "the disk is full, and nothing was written: make space, and try again"
_REMEDIES = {  # by SQLite's names and PostgreSQL's codes
    "SQLITE_FULL": _FULL,
    "53100": _FULL,
    "08007": "it is unknown whether this was written: read again before you write it again",
    "22003": "it cannot hold a value that was given, and nothing was written",
    "25006": "it only reads, as a standby does: name the primary server",
    "40001": "others were in the way, and nothing was written: try again",
    "40P01": "others were in the way, and nothing was written: try again",
    "42501": "the role may not do this: grant it what the README of tigercore-postgres lists",
    "55P03": "others were in the way, and nothing was written: try again",
    "57014": "it took longer than `statement_timeout`, and nothing was written: try again",
}
_LOST = "the connection was lost, and nothing was written: try again"
_REMEDY = "see what stands there: tigercore db status"
_NAMED_IN_THE_MESSAGE = {"SQLITE_CONSTRAINT_CHECK", "SQLITE_CONSTRAINT_NOTNULL"}


def is_taken(error: IntegrityError) -> bool:
    """Say whether something unique is there already, or what was referred to is gone."""
    return _code(error.orig) in _TAKEN


def described(error: Exception) -> str:
    """Return the kind of the error, its code, and the constraint that was broken, where these are known."""
    cause = getattr(error, "orig", None) or error
    return " ".join(filter(None, (type(cause).__name__, _code(cause), _constraint(cause))))


def remedy(error: Exception) -> str:
    """Return what to do about the error."""
    lost = getattr(error, "connection_invalidated", False)
    return _REMEDIES.get(_code(getattr(error, "orig", None) or error), _LOST if lost else _REMEDY)


def _code(cause: BaseException | None) -> str:
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""


def _constraint(cause: BaseException) -> str:
    """Return the constraint's name: SQLite says it after a colon, PostgreSQL has a field for it."""
    if _code(cause) in _NAMED_IN_THE_MESSAGE:
        return str(cause).partition(": ")[2]
    return getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
