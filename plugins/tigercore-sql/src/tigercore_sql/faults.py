"""What an error of the database may tell: codes and names of constraints, never a value."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

_TAKEN = {
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
    "SQLITE_CONSTRAINT_ROWID",
    "SQLITE_CONSTRAINT_FOREIGNKEY",
    "23505",  # unique_violation of PostgreSQL
    "23503",  # foreign_key_violation
}
_NAMED_IN_THE_MESSAGE = {"SQLITE_CONSTRAINT_CHECK", "SQLITE_CONSTRAINT_NOTNULL"}


def is_taken(error: IntegrityError) -> bool:
    """Say whether something unique is there already, or what was referred to is gone."""
    return _code(error.orig) in _TAKEN


def described(error: SQLAlchemyError) -> str:
    """Return the kind of the error, its code, and the constraint that was broken, where these are known."""
    cause = getattr(error, "orig", None) or error
    return " ".join(filter(None, (type(cause).__name__, _code(cause), _constraint(cause))))


def _code(cause: BaseException | None) -> str:
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""


def _constraint(cause: BaseException) -> str:
    """Return the constraint's name: SQLite says it after a colon, PostgreSQL has a field for it."""
    if _code(cause) in _NAMED_IN_THE_MESSAGE:
        return str(cause).partition(": ")[2]
    return getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
