"""What a worker does, step by step, as `_refresher`, `_exchange` and `_keeper` do it; the rules are the production's.

Each step is atomic; between two of them anybody else may act. The methods that a test replaces to plant a bug are the
first ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.core.refresh_model.edits import at, ended, with_status, written
from tests.core.refresh_model.rules import Rules
from tests.core.refresh_model.world import (
    DEAD,
    NONE,
    REFUSED,
    Attempt,
    Entry,
    Phase,
    Puts,
    Request,
    Row,
    Setting,
    Worker,
    World,
)
from tigercore._refresh import Step
from tigercore.model import TokenRefreshStatus as Status
from tigercore.model import TokenState

Move = tuple[str, World]
_IDLE = Worker()


class Protocol:
    """The moves of the workers of one setting."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.rules = Rules()
        self._steps = {
            Phase.IDLE: self._idle,
            Phase.READ: self._act,
            Phase.PROBED: self._probed,
            Phase.LEASED: self._check,
            Phase.FROZEN: self._send,
            Phase.WAITING: self._wait,
            Phase.STORING: self._store,
            Phase.DROPPING: self._drop,
        }

    def moves(self, world: World) -> Iterator[Move]:
        """Return what each worker can do next, and the states that follow."""
        for number, worker in enumerate(world.workers):
            for told, after in self._steps[worker.phase](world, number, worker):
                yield f"worker {number} {told}", after

    # -- what may be planted -----------------------------------------------------------------------------------

    def is_current(self, row: Row) -> bool:
        """Say whether the store accepts a write over this row as it was read."""
        return row.current == 1

    def held(self, world: World, number: int, worker: Worker) -> tuple[int, ...]:
        """Return the rows that a worker whose try has failed may write: those that it still leases."""
        return tuple(
            place
            for place, row in enumerate(world.rows)
            if row.state is TokenState.REFRESHING and row.owner == number and row.gen == worker.token
        )

    def note(self, world: World, number: int, worker: Worker) -> World:
        """Return the world with the token that a worker has received in its journal."""
        return world._replace(journal=(*world.journal, Entry(worker.attempt, worker.reply, number)))

    def may_look(self, rows: tuple[Row, ...]) -> bool:
        """Say whether who takes the token for ended by a wrong clock may ask the gateway."""
        return self.rules.next_step(rows, None) is Step.REFRESH

    def unsent(self, recovery: bool) -> TokenState:
        """Return where a token stands of which nothing was sent: a recovery begins with a dead one."""
        return TokenState.UNCERTAIN if recovery else TokenState.VALID

    def lacks(self, row: Row, gen: int) -> bool:
        """Say whether a row holds another token."""
        return row.gen != gen

    def stored_already(self, attempt: Attempt) -> bool:
        """Say whether a token of the journal is of a try that is known to have ended well."""
        return attempt.status is Status.SUCCEEDED

    def silence(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        """Give up a request without a reply: it may yet be carried out."""
        places = self.held(world, number, worker)
        puts = self.rules.in_doubt(world.rows, places, self.setting.settle)
        yield "hears nothing, and leaves the token in doubt", written(at(world, number, _IDLE), puts)

    # -- what a row calls for ----------------------------------------------------------------------------------

    def _idle(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        step = self.rules.next_step(world.rows, None)
        orphan = next((entry for entry in world.journal if entry.owner == DEAD), None)
        if step is Step.REFRESH and world.starts:
            yield "reads a row to refresh", at(world, number, Worker(Phase.READ, world.rows))
        if self.rules.is_due(world.rows) and world.starts:
            yield "is given the row by the store", self._claimed(world, number)
        if step in (Step.DOUBT, Step.PROBE) and orphan is None:
            yield "reads a row in doubt", at(world, number, Worker(Phase.READ, world.rows))
        if world.looks and self.may_look(world.rows):
            alive = self.setting.lives(world, self.rules.newest(world.rows))
            asked = Worker(Phase.PROBED, world.rows, reply=int(alive))
            yield "takes the token for ended, and asks", at(world._replace(looks=world.looks - 1), number, asked)
        if orphan is not None:
            yield "adopts a journal's token", self._adopting(world, number, orphan)

    def _claimed(self, world: World, number: int) -> World:
        claimed = world.rows[0]._replace(
            state=TokenState.REFRESHING, owner=number, lease=self.setting.lease
        )  # claim_due_tokens
        world = written(world, ((0, claimed),))
        return at(world, number, Worker(Phase.READ, world.rows, claimed=True))

    def _adopting(self, world: World, number: int, orphan: Entry) -> World:
        if self.stored_already(world.attempts[orphan.attempt]):
            return at(world, number, Worker(Phase.DROPPING, attempt=orphan.attempt))
        return at(world, number, Worker(Phase.STORING, attempt=orphan.attempt, reply=orphan.gen))

    def _act(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        match self.rules.next_step(worker.rows, number if worker.claimed else None):
            case Step.REFRESH:
                yield from self._lease(world, number, worker, recovery=False)
            case Step.DOUBT:
                everything = tuple(range(len(worker.rows)))
                puts = self.rules.in_doubt(worker.rows, everything, self.setting.settle)
                yield "doubts what became of a lease that is over", self._cas(world, number, worker, puts)
            case Step.PROBE:
                alive = self.setting.lives(world, self.rules.newest(worker.rows))
                answer = worker._replace(phase=Phase.PROBED, reply=int(alive))
                yield f"asks: the token {'lives' if alive else 'is dead'}", at(world, number, answer)
            case Step.WAIT:
                yield "waits", at(world, number, _IDLE)

    def _probed(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        everything = tuple(range(len(worker.rows)))
        if worker.reply:
            puts = self.rules.renewed(worker.rows, everything, self.rules.newest(worker.rows))
            yield "writes that it lives", self._cas(ended(world, Status.OLD_ALIVE), number, worker, puts, world)
        elif any(row.state is TokenState.UNCERTAIN for row in worker.rows):
            yield from self._lease(world, number, worker, recovery=True)
        else:
            puts = self.rules.dead(worker.rows, everything)
            yield "calls a person", self._cas(ended(world, Status.LOST), number, worker, puts, world)

    # -- the exchange ------------------------------------------------------------------------------------------

    def _lease(self, world: World, number: int, worker: Worker, *, recovery: bool) -> Iterator[Move]:
        puts = self.rules.leased(worker.rows, number, self.setting.lease)
        if not all(self.is_current(row) for row in worker.rows):
            again = worker._replace(phase=Phase.READ, rows=world.rows) if worker.claimed else _IDLE
            yield "is too late for the lease", at(world, number, again)
            return
        begun = ended(world, Status.LOST) if recovery else world
        begun = begun._replace(attempts=(*begun.attempts, Attempt(Status.STARTED, recovery)))
        if not recovery:
            begun = begun._replace(starts=max(world.starts - 1, 0))
        token = self.rules.newest(worker.rows)
        holder = Worker(Phase.LEASED, (), 0 if recovery else worker.age, attempt=len(world.attempts), token=token)
        yield (
            f"leases the row for {'a recovery' if recovery else 'a refresh'}",
            written(at(begun, number, holder), puts),
        )

    def _check(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        if worker.age + self.setting.timeout >= self.setting.lease:
            recovery = world.attempts[worker.attempt].recovery
            puts = self.rules.released(world.rows, self.held(world, number, worker), self.unsent(recovery))
            yield "was held up: sends nothing", self._lost(world, number, worker, Status.NOT_SENT, puts)
        elif self.setting.freezes:
            yield "is in time", at(world, number, worker._replace(phase=Phase.FROZEN, age=0))
        else:
            yield from self._send(world, number, worker._replace(age=0))

    def _send(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        request = Request(worker.attempt, worker.token, 0)
        sent = world._replace(requests=(*world.requests, request))
        yield "sends its request", at(sent, number, worker._replace(phase=Phase.WAITING, age=0))

    def _wait(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        if worker.reply == REFUSED:
            yield "is refused", self._refused(world, number, worker)
        elif worker.reply != NONE:
            storing = worker._replace(phase=Phase.STORING)
            noted = self.note(world._replace(kept=worker.reply), number, worker)
            yield "keeps its token in the journal", at(noted, number, storing)
        if worker.age >= self.setting.timeout:
            yield from self._give_up(world, number, worker)

    def _give_up(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        lost = worker.reply == NONE and all(each.attempt != worker.attempt for each in world.requests)
        if lost or world.faults:
            yield from self.silence(world._replace(faults=world.faults - (not lost)), number, worker)

    def _refused(self, world: World, number: int, worker: Worker) -> World:
        places = self.held(world, number, worker)
        if world.attempts[worker.attempt].recovery:
            puts = self.rules.dead(world.rows, places)
        else:
            puts = self.rules.in_doubt(world.rows, places, self.setting.settle)
        return self._lost(world, number, worker, Status.REJECTED, puts)

    def _lost(self, world: World, number: int, worker: Worker, status: Status, puts: Puts) -> World:
        ended = with_status(world, worker.attempt, status)
        return written(at(ended, number, _IDLE), puts)

    # -- the new token -----------------------------------------------------------------------------------------

    def _store(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        takers = self.rules.takes(world.rows, worker.reply)
        places = tuple(place for place in takers if self.lacks(world.rows[place], worker.reply))
        puts = self.rules.renewed(world.rows, places, worker.reply)
        is_kept = bool(puts) or any(row.gen == worker.reply for row in world.rows)
        stored = with_status(world, worker.attempt, Status.SUCCEEDED if is_kept else Status.LOST)
        done = worker._replace(phase=Phase.DROPPING, token=NONE, reply=NONE, age=0)
        yield "stores the token", written(at(stored, number, done), puts)

    def _drop(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        rest = tuple(entry for entry in world.journal if entry.attempt != worker.attempt)
        yield "empties the journal", at(world._replace(journal=rest), number, _IDLE)

    # -- the store ---------------------------------------------------------------------------------------------

    def _cas(self, world: World, number: int, worker: Worker, puts: Puts, instead: World | None = None) -> World:
        """Return the world with the rows written, or `instead`, if another version is there."""
        if all(self.is_current(worker.rows[place]) for place, _ in puts):
            return written(at(world, number, _IDLE), puts)
        return at(instead or world, number, _IDLE)
