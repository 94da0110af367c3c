"""The port to what orders the candidates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import final

import attrs

from tigercore.model import Operation, TigerAccount
from tigercore.ports._driver import Driver


@final
@attrs.define(eq=False)
class Candidate:
    """An account that may carry an operation, with live statistics. A strategy reads it and never writes it.

    `usage` counts calls, recent ones for more, so that only comparing it means anything; `in_flight` counts those that
    are not answered yet. `latency` is a peak-sensitive
    moving average in ms, 0.0 while nothing is known. `error_rate` is the faded share of calls that failed, 0 to 1.
    """

    account: TigerAccount
    usage: float = 0.0
    in_flight: int = 0
    latency: float = 0.0
    error_rate: float = 0.0

    @property
    def weight(self) -> float:
        """Return the account's weight, 1.0 unless it was set."""
        return self.account.weight


class LoadBalancer(Driver):
    """Order candidates. The first is the pick; the rest is the order of failover."""

    @abstractmethod
    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        """Return the candidates in the order to try them: each once, none invented, nothing from nothing.

        Never waits, and changes no candidate. It may be lazy, and may remember things for as long as it is given the
        same `candidates` object: the core gives the same one until an account changes.
        """
