"""The fastest first, and now and then another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, final

import attrs

from tigercore.model import Operation
from tigercore.ports import Candidate, DriverContext, LoadBalancer
from tigercore_balancers._draw import better_of_two, drawn

_FAILURE = 1_000.0  # ms that a failed call is reckoned at: a fast refusal is not fast
_UNKNOWN = 1e9  # ms that one is reckoned at whose first call is still out


@final
@attrs.frozen
class FastestResponseOptions:
    """`explore` is the share of plans, 0 to 1, that begin with any candidate, so that a slow one is measured again."""

    explore: float = attrs.field(default=0.05, validator=[attrs.validators.ge(0), attrs.validators.le(1)])


@final
class FastestResponse(LoadBalancer):
    """Draw two candidates and take the one that is expected to answer first.

    What is expected is the moving average of its latency, plus a second for each failure by its error rate, for each
    call that it is already busy with and for this one. A candidate of which nothing is known is tried at once, with one
    call at a time until it has answered.
    """

    Options: ClassVar[type] = FastestResponseOptions

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self._explore = options.explore

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Take the faster of each two that are drawn; sometimes just draw."""
        random = self.context.rng.random
        if random() < self._explore:
            return drawn(candidates, random)
        return better_of_two(candidates, random, _expected)


def _expected(candidate: Candidate) -> float:
    answer = candidate.latency + _FAILURE * candidate.error_rate
    if answer == 0.0:
        return _UNKNOWN * candidate.in_flight
    return answer * (1 + candidate.in_flight)
