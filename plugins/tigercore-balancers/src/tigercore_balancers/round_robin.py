"""In turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

from tigercore.model import Operation
from tigercore.ports import Candidate, DriverContext, LoadBalancer

_SETS = 256


@final
class RoundRobin(LoadBalancer):
    """Take the candidates in turn, beginning anywhere.

    Every set of candidates has a turn of its own for each group of methods: two callers that alternate do not fall into
    step, and each budget is spent evenly. The turns of the 256 newest are kept.
    """

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self._turns: dict[tuple[int, str], _Turn] = {}

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Begin one further than the last time, and go round."""
        turn = self._turns.get((id(candidates), operation.group))
        if turn is None:
            turn = self._first_turn(operation, candidates)
        turn.place += 1
        return _round(candidates, turn.place)

    def _first_turn(self, operation: Operation, candidates: Sequence[Candidate]) -> _Turn:
        while len(self._turns) >= _SETS:
            del self._turns[next(iter(self._turns))]
        turn = _Turn(candidates, self.context.rng.randrange(2**16))
        self._turns[id(candidates), operation.group] = turn
        return turn


@final
class _Turn:
    """The place of a set; while the set is held, no other can have its `id`."""

    __slots__ = ("candidates", "place")

    def __init__(self, candidates: Sequence[Candidate], place: int) -> None:
        self.candidates = candidates
        self.place = place


def _round(candidates: Sequence[Candidate], place: int) -> Iterator[Candidate]:
    count = len(candidates)
    for step in range(place, place + count):
        yield candidates[step % count]
