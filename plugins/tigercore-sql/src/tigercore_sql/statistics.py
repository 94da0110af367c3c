"""What attempts come to, counted by the database: no attempt is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, func, select, true

from tigercore.model import RefreshTrigger, TokenRefreshStatus
from tigercore.ports import AttemptStatistics
from tigercore_sql.damage import fetched
from tigercore_sql.rows import microseconds
from tigercore_sql.tables import ATTEMPT

T = TypeVar("T")
_TOOK = ATTEMPT.c.ended_at - ATTEMPT.c.started_at
_CAUSES = 10


def read_statistics(connection: Connection, ids: Collection[UUID] | None, since: datetime | None) -> AttemptStatistics:
    """Return the statistics of the attempts that began at `since` or later, of these accounts or all."""
    wanted = chosen(ids, since)
    statuses = _counted(connection, ATTEMPT.c.status, wanted, TokenRefreshStatus)
    triggers = _counted(connection, ATTEMPT.c.trigger_word, wanted, RefreshTrigger)
    causes = _counted(connection, ATTEMPT.c.detail, wanted & (ATTEMPT.c.detail != ""), str, limit=_CAUSES)
    p50, p99 = (_rank(connection, wanted, percent) for percent in (50, 99))
    return AttemptStatistics(sum(statuses.values()), statuses, triggers, p50, p99, causes)


def chosen(ids: Collection[UUID] | None, since: datetime | None) -> ColumnElement[bool]:
    """Return what holds for attempts that began at `since` or later, of these accounts or all."""
    wanted: ColumnElement[bool] = true()
    if ids is not None:
        wanted &= ATTEMPT.c.account_id.in_(_written_out(ids))
    if since is not None:
        wanted &= ATTEMPT.c.started_at >= microseconds(since)
    return wanted


def _written_out(ids: Collection[UUID]) -> BindParameter[Any]:
    """Return ids as part of the statement's text: engines bound its parameters, and pages cannot be counted."""
    return bindparam("ids", list(ids), expanding=True, literal_execute=True)


def _counted(
    connection: Connection,
    column: ColumnElement[str],
    wanted: ColumnElement[bool],
    kind: Callable[[str], T],
    limit: int | None = None,
) -> dict[T, int]:
    total = func.count().label("total")
    query = select(column.label("word"), total).where(wanted).group_by(column).order_by(total.desc(), column)
    return fetched(ATTEMPT, lambda: {kind(row.word): row.total for row in connection.execute(query.limit(limit))})


def _rank(connection: Connection, wanted: ColumnElement[bool], percent: int) -> float | None:
    """Return how many seconds this percentage of the attempts that succeeded took at most, by nearest rank."""
    ended = wanted & (ATTEMPT.c.status == TokenRefreshStatus.SUCCEEDED.value) & ATTEMPT.c.ended_at.is_not(None)
    total = connection.execute(select(func.count()).select_from(ATTEMPT).where(ended)).scalar_one()
    if not total:
        return None
    nearest: Select[Any] = select(_TOOK).where(ended).order_by(_TOOK).limit(1).offset(-(-total * percent // 100) - 1)
    return float(connection.execute(nearest).scalar_one()) / 1_000_000
