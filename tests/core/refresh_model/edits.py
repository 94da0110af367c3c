"""How one state becomes another: rows that are written, attempts that end, processes that get another name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.core.refresh_model.world import NONE, Attempt, Puts, Row, Worker, World
from tigercore.model import TokenRefreshStatus as Status
from tigercore.model import TokenState


def at(world: World, number: int, worker: Worker) -> World:
    """Return the world in which a worker stands elsewhere."""
    return world._replace(workers=(*world.workers[:number], worker, *world.workers[number + 1 :]))


def written(world: World, puts: Puts) -> World:
    """Return the world with rows in the store; who has read them before holds versions of before."""
    if not puts:
        return world
    rows, places = list(world.rows), {place for place, _ in puts}
    for place, row in puts:
        rows[place] = _plain(row)
    workers = tuple(_outdated(worker, places) if worker.rows else worker for worker in world.workers)
    return world._replace(rows=tuple(rows), workers=workers)


def with_status(world: World, number: int, status: Status) -> World:
    """Return the world with an attempt in another state."""
    attempts = list(world.attempts)
    attempts[number] = attempts[number]._replace(status=status)
    return world._replace(attempts=tuple(attempts))


def ended(world: World, status: Status) -> World:
    """Return the world in which all attempts have ended of which nobody knows how they did."""
    for number, attempt in enumerate(world.attempts):
        if attempt.status is Status.STARTED:
            world = with_status(world, number, status)
    return world


def renamed(world: World, names: Mapping[int, int]) -> World:
    """Return the world with other names for the owners of leases and journals."""
    workers = tuple(worker._replace(rows=_owned(worker.rows, names)) for worker in world.workers)
    journal = tuple(entry._replace(owner=names.get(entry.owner, entry.owner)) for entry in world.journal)
    return world._replace(rows=_owned(world.rows, names), workers=workers, journal=journal)


def done(world: World) -> list[Attempt]:
    """Return the attempts that have ended, and that nobody works on any more."""
    busy = _worked_on(world)
    return [
        each for number, each in enumerate(world.attempts) if number not in busy and each.status is not Status.STARTED
    ]


def _worked_on(world: World) -> set[int]:
    working, asked, noted = world.workers, world.requests, world.journal
    return {*(each.attempt for each in working), *(each.attempt for each in asked), *(each.attempt for each in noted)}


def alike(world: World) -> World:
    """Return the one state that stands for all those in which the same can happen.

    The numbers of workers are of no matter, and neither is what was done about attempts that are over.
    """
    world = _without_history(world)
    numbers = range(len(world.workers))
    order = sorted(numbers, key=lambda number: _standing(world, number))
    if order == list(numbers):
        return world
    moved = world._replace(workers=tuple(world.workers[number] for number in order))
    return renamed(moved, {number: place for place, number in enumerate(order)})


def _without_history(world: World) -> World:
    busy = _worked_on(world)
    kept = [number for number, each in enumerate(world.attempts) if number in busy or each.status is Status.STARTED]
    if len(kept) == len(world.attempts):
        return world
    names = {number: place for place, number in enumerate(kept)}
    return world._replace(
        attempts=tuple(world.attempts[number] for number in kept),
        workers=tuple(each._replace(attempt=names.get(each.attempt, NONE)) for each in world.workers),
        requests=tuple(each._replace(attempt=names[each.attempt]) for each in world.requests),
        journal=tuple(each._replace(attempt=names[each.attempt]) for each in world.journal),
    )


def _standing(world: World, number: int) -> list[int]:
    phase, _, *rest = world.workers[number]
    return [phase, *rest, number in [row.owner for row in world.rows], number in [each.owner for each in world.journal]]


def _owned(rows: tuple[Row, ...], names: Mapping[int, int]) -> tuple[Row, ...]:
    return tuple(row if row.owner is None else row._replace(owner=names.get(row.owner, row.owner)) for row in rows)


def _plain(row: Row) -> Row:
    """Return a row as the store has it; when a living one falls due is of no matter, a refresh may be asked for."""
    due = 0 if row.state is not TokenState.UNCERTAIN and row.next_at is not None else row.next_at
    return row._replace(next_at=due, current=1)


def _outdated(worker: Worker, places: set[int]) -> Worker:
    rows = tuple(row._replace(current=0) if place in places else row for place, row in enumerate(worker.rows))
    return worker._replace(rows=rows)
