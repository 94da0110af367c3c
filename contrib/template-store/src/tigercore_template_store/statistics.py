"""What attempts come to, counted one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tigercore.model import TokenRefreshStatus
from tigercore.ports import AttemptStatistics, TokenAttempt


def summed_up(attempts: Sequence[TokenAttempt]) -> AttemptStatistics:
    """Return the statistics of these attempts."""
    took = sorted(
        (each.ended_at - each.started_at).total_seconds()
        for each in attempts
        if each.status is TokenRefreshStatus.SUCCEEDED and each.ended_at is not None
    )
    causes = Counter(each.detail for each in attempts if each.detail)
    most = sorted(causes.items(), key=lambda cause: (-cause[1], cause[0]))[:10]
    return AttemptStatistics(
        len(attempts),
        dict(Counter(each.status for each in attempts)),
        dict(Counter(each.trigger for each in attempts)),
        _rank(took, 50),
        _rank(took, 99),
        dict(most),
    )


def _rank(values: Sequence[float], percent: int) -> float | None:
    """Return the value by nearest rank."""
    return values[-(-len(values) * percent // 100) - 1] if values else None
