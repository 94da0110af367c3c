"""What happens to the workers: the gateway carries requests out, messages are lost, processes die, time passes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.core.refresh_model.edits import at, ended, renamed
from tests.core.refresh_model.protocol import Move
from tests.core.refresh_model.world import DEAD, NONE, REFUSED, Phase, Request, Row, Setting, Worker, World
from tigercore.model import TokenRefreshStatus as Status
from tigercore.model import TokenState


def moves(setting: Setting, world: World) -> Iterator[Move]:
    """Return what can happen next, and the states that follow."""
    for request in world.requests:
        yield from _carried_out(setting, world, request)
    if world.kills:
        yield from _killed(world)
    if setting.freezes:
        yield from _repaired(setting, world)
    yield from _passes(setting, world)


def _carried_out(setting: Setting, world: World, request: Request) -> Iterator[Move]:
    gone = world._replace(requests=tuple(each for each in world.requests if each != request))
    if world.faults:
        yield f"request {request.attempt} is lost", gone._replace(faults=world.faults - 1)
    reply = world.newest + 1 if setting.exchanges(world, request.token) else REFUSED
    what = f"the gateway {'refuses' if reply == REFUSED else 'carries out'} request {request.attempt}"
    after = gone if reply == REFUSED else _issued(gone, request.attempt, reply)
    senders = [number for number, each in enumerate(world.workers) if _waits(each, request)]
    for number in senders:
        yield what, at(after, number, world.workers[number]._replace(reply=reply))
    if not senders:
        yield what, after
    elif world.faults:
        yield f"{what}; the reply is lost", after._replace(faults=world.faults - 1)


def _issued(world: World, number: int, gen: int) -> World:
    attempts = list(world.attempts)
    attempts[number] = attempts[number]._replace(gen=gen)
    return world._replace(newest=gen, attempts=tuple(attempts))


def _waits(worker: Worker, request: Request) -> bool:
    return worker.phase is Phase.WAITING and worker.attempt == request.attempt and worker.reply == NONE


def _killed(world: World) -> Iterator[Move]:
    for number, worker in enumerate(world.workers):
        if worker.phase is not Phase.IDLE:
            after = renamed(at(world, number, Worker()), {number: DEAD})
            yield f"worker {number} is killed", after._replace(kills=world.kills - 1)


def _repaired(setting: Setting, world: World) -> Iterator[Move]:
    """Do what other processes do about the traces of a frozen one: a reader is refused; attempts are ended."""
    held = {row.gen for row in world.rows if row.state is TokenState.VALID}
    if any(not setting.lives(world, gen) for gen in held):
        yield "a reader is refused", world._replace(rows=tuple(map(_distrusted, world.rows)), workers=_stale(world))
    busy = {row.state for row in world.rows} & {TokenState.REFRESHING, TokenState.UNCERTAIN}
    if not busy and not world.requests and any(each.status is Status.STARTED for each in world.attempts):
        yield "a worker ends attempts that nobody will end", ended(world, Status.LOST)


def _distrusted(row: Row) -> Row:
    """Return the row as `TokenManager.distrust` leaves it: the gateway may be asked at once."""
    if row.state is not TokenState.VALID:
        return row
    return row._replace(state=TokenState.UNCERTAIN, owner=None, lease=None)


def _stale(world: World) -> tuple[Worker, ...]:
    return tuple(each._replace(rows=tuple(row._replace(current=0) for row in each.rows)) for each in world.workers)


# -- time --------------------------------------------------------------------------------------------------------------


def _passes(setting: Setting, world: World) -> Iterator[Move]:
    """Let a tick pass if that breaks no promise; each worker that is held up by it is a fault.

    A request is carried out within its reach, or lost before. Unless workers freeze, none waits longer with a token.
    """
    overdue = any(request.age >= setting.reach for request in world.requests)
    frozen = any(_has_a_token(worker) and worker.age >= setting.reach for worker in world.workers)
    held_up = sum(_is_held_up(setting, worker) for worker in world.workers)
    if not overdue and (setting.freezes or not frozen) and held_up <= world.faults:
        yield "a tick passes", _later(setting, world._replace(faults=world.faults - held_up))


def _is_held_up(setting: Setting, worker: Worker) -> bool:
    """Say whether a tick makes a worker late with what it does next."""
    match worker.phase:
        case Phase.LEASED:
            return worker.age + 1 == setting.lease - setting.timeout
        case Phase.FROZEN:
            return worker.age == 0
        case Phase.WAITING:
            return worker.age == setting.timeout
        case Phase.STORING:
            return worker.token != NONE and worker.age == setting.reach
        case _:
            return False


def _has_a_token(worker: Worker) -> bool:
    """Say whether a worker, not one that adopts, has a token which others know nothing of while it lives."""
    return worker.token != NONE and worker.reply > NONE and worker.phase in (Phase.WAITING, Phase.STORING)


def _later(setting: Setting, world: World) -> World:
    most = max(setting.reach, setting.lease) + 1
    return world._replace(
        rows=tuple(map(_row_later, world.rows)),
        workers=tuple(_worker_later(each, most) for each in world.workers),
        requests=tuple(each._replace(age=each.age + 1) for each in world.requests),
    )


def _row_later(row: Row) -> Row:
    next_at = row.next_at and row.next_at - 1
    return row._replace(next_at=next_at, lease=row.lease and row.lease - 1)


def _worker_later(worker: Worker, most: int) -> Worker:
    if worker.phase in (Phase.IDLE, Phase.DROPPING):
        return worker
    return worker._replace(age=min(worker.age + 1, most), rows=tuple(map(_row_later, worker.rows)))
