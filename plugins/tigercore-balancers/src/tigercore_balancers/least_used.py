"""The least used first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import final

from tigercore.model import Operation
from tigercore.ports import Candidate, LoadBalancer
from tigercore_balancers._draw import better_of_two

_FEW = 16

_usage = attrgetter("usage")


@final
class LeastUsed(LoadBalancer):
    """Take the candidate with the fewest calls of late; of equal ones, any.

    Up to 16 candidates are all compared. Of more than that, two are drawn and the less used one is taken: it costs the
    same in a set of any size, and a newcomer that nobody has used yet gets two shares and not all.
    """

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Order by usage: exactly where there are few, of each two that are drawn where there are many."""
        if len(candidates) > _FEW:
            return better_of_two(candidates, self.context.rng.random, _usage)
        return _fewest_first(candidates, self.context.rng.random)


def _fewest_first(candidates: Sequence[Candidate], random: Callable[[], float]) -> Iterator[Candidate]:
    if not candidates:
        return
    usages = [candidate.usage for candidate in candidates]
    least = min(usages)
    place = usages.index(least)
    if usages.count(least) > 1:
        places = [place for place, usage in enumerate(usages) if usage == least]
        place = places[int(random() * len(places))]
    yield candidates[place]
    yield from sorted([*candidates[:place], *candidates[place + 1 :]], key=_usage)
