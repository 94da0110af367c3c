"""The balancer that has no opinion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from tigercore.model import Operation
from tigercore.ports import Candidate, LoadBalancer


@final
class FirstBalancer(LoadBalancer):
    """Keep the order in which the candidates come, so that a test knows who is asked."""

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Return the candidates as they are."""
        return iter(candidates)
