"""Of two neighbours, try the one that rests: fewer calls in flight, then fewer of late."""

from collections.abc import Iterator, Sequence
from typing import final

from tigercore.model import Operation
from tigercore.ports import Candidate, LoadBalancer


@final
class Stalest(LoadBalancer):
    """Begin anywhere and go round; at each step the busier of two waits for the next."""

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Yield each candidate once; looks at two before the first, however many there are."""
        waiting: list[Candidate] = []
        start = int(self.context.rng.random() * len(candidates))
        for step in range(start, start + len(candidates)):
            waiting.append(candidates[step % len(candidates)])
            if len(waiting) == 2:
                waiting.sort(key=lambda candidate: (candidate.in_flight, candidate.usage))
                yield waiting.pop(0)
        yield from waiting
