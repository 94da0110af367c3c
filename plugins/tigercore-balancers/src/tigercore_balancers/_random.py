"""At random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from tigercore.model import Operation
from tigercore.ports import Candidate, LoadBalancer
from tigercore_balancers._draw import drawn


@final
class Random(LoadBalancer):
    """Take the candidates in an order of which all are equally likely."""

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Draw one after the other."""
        return drawn(candidates, self.context.rng.random)
