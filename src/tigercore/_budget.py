"""The gateway's rolling budgets for each developer and group of methods, as far as its refusals tell of them.

Pure but for an injected clock.
"""

from __future__ import annotations

from typing import final

from tigercore.clock import Clock
from tigercore.model import Operation, TigerAccount


@final
class Budgets:
    """Remember which developer has used up which budget, and until when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def spent(self, operation: Operation, account: TigerAccount, seconds: float) -> None:
        """Note that the gateway refuses these calls for so many seconds."""
        self._until[account.developer, operation.group] = self._clock.monotonic() + seconds

    def wait(self, operation: Operation, account: TigerAccount) -> float:
        """Return for how many seconds such a call would be refused, 0.0 if it may go."""
        until = self._until.get((account.developer, operation.group))
        return 0.0 if until is None else max(until - self._clock.monotonic(), 0.0)
