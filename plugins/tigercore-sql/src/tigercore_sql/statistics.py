"""What attempts come to, counted by the database: no attempt is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, select, true

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
    chosen = _chosen(ids, since)
    statuses = _counted(connection, ATTEMPT.c.status, chosen, TokenRefreshStatus)
    triggers = _counted(connection, ATTEMPT.c.trigger_word, chosen, RefreshTrigger)
    causes = _counted(connection, ATTEMPT.c.detail, chosen & (ATTEMPT.c.detail != ""), str, limit=_CAUSES)
    p50, p99 = (_rank(connection, chosen, percent) for percent in (50, 99))
    return AttemptStatistics(sum(statuses.values()), statuses, triggers, p50, p99, causes)


def _chosen(ids: Collection[UUID] | None, since: datetime | None) -> ColumnElement[bool]:
    chosen: ColumnElement[bool] = true()
    if ids is not None:
        chosen &= ATTEMPT.c.account_id.in_(ids)
    if since is not None:
        chosen &= ATTEMPT.c.started_at >= microseconds(since)
    return chosen


def _counted(
    connection: Connection,
    column: ColumnElement[str],
    chosen: ColumnElement[bool],
    kind: Callable[[str], T],
    limit: int | None = None,
) -> dict[T, int]:
    total = func.count().label("total")
    query = select(column.label("word"), total).where(chosen).group_by(column).order_by(total.desc(), column)
    return fetched(ATTEMPT, lambda: {kind(row.word): row.total for row in connection.execute(query.limit(limit))})


def _rank(connection: Connection, chosen: ColumnElement[bool], percent: int) -> float | None:
    """Return how many seconds this percentage of the attempts that succeeded took at most, by nearest rank."""
    ended = chosen & (ATTEMPT.c.status == TokenRefreshStatus.SUCCEEDED.value) & ATTEMPT.c.ended_at.is_not(None)
    total = connection.execute(select(func.count()).select_from(ATTEMPT).where(ended)).scalar_one()
    if not total:
        return None
    nearest: Select[Any] = select(_TOOK).where(ended).order_by(_TOOK).limit(1).offset(-(-total * percent // 100) - 1)
    return float(connection.execute(nearest).scalar_one()) / 1_000_000
