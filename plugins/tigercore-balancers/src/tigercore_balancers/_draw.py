"""Draw candidates at random, each once, and only as many as are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tigercore.ports import Candidate


def drawn(candidates: Sequence[Candidate], random: Callable[[], float]) -> Iterator[Candidate]:
    """Yield every candidate once, in an order of which all are equally likely.

    It is the shuffle of Fisher and Yates with only the moved places kept, so the first costs the same in a set of any
    size, and a set is never copied.
    """
    return _drawn_on(candidates, random, {}, len(candidates))


def _drawn_on(
    candidates: Sequence[Candidate], random: Callable[[], float], moved: dict[int, int], left: int
) -> Iterator[Candidate]:
    while left:
        place = int(random() * left)
        left -= 1
        yield candidates[moved.get(place, place)]
        moved[place] = moved.get(left, left)


def better_of_two(
    candidates: Sequence[Candidate], random: Callable[[], float], cost: Callable[[Candidate], float]
) -> Iterator[Candidate]:
    """Yield the cheaper of two that were drawn, keep the other, and go on with it and the next that is drawn.

    Two choices avoid the worst without all callers flocking to the best (Mitzenmacher; see peers 5, S1 and S3).
    """
    last = len(candidates) - 1
    if last < 1:
        yield from candidates
        return
    place, other_place = int(random() * (last + 1)), int(random() * last)
    held, other = candidates[place], candidates[other_place if other_place != place else last]
    if cost(other) < cost(held):
        held, other = other, held
    yield held
    held, moved = other, {place: last}
    moved[other_place] = moved.get(last - 1, last - 1)
    for other in _drawn_on(candidates, random, moved, last - 1):
        if cost(other) < cost(held):
            yield other
        else:
            yield held
            held = other
    yield held
