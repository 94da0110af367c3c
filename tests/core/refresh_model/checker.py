"""A breadth-first search through every state that can be reached, and what must hold in each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import attrs

from tests.core.refresh_model import environment
from tests.core.refresh_model.edits import alike, done
from tests.core.refresh_model.protocol import Protocol
from tests.core.refresh_model.world import Gateway, Phase, Row, Setting, World
from tigercore.model import TokenRefreshStatus as Status
from tigercore.model import TokenState

_STORED_OR_LOST = (Status.SUCCEEDED, Status.LOST)


@attrs.frozen
class Report:
    """How many states were seen; the first invariant that one of them breaks, and what led there."""

    states: int
    ends: int
    broken: str | None = None
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        steps = "\n".join(f"{number:3}. {step}" for number, step in enumerate(self.trace, 1))
        return f"{self.states} states, {self.ends} ends; broken: {self.broken}\n{steps}"


class Step(NamedTuple):
    """A state, and how it was first reached."""

    world: World
    before: World | None
    told: str


class Checker:
    """Explore a protocol. `ignored` are invariants that are known not to hold under its assumptions."""

    def __init__(self, protocol: Protocol, ignored: frozenset[str] = frozenset()) -> None:
        self._protocol = protocol
        self._setting = protocol.setting
        self._ignored = ignored
        self._seen: dict[World, Step] = {}  # under what stands for all states that are alike
        self._before: dict[World, list[World]] = {}

    def run(self) -> Report:
        """Return what a search of all states has found."""
        first = self._setting.first()
        self._seen[first] = Step(first, None, "")
        queue = deque([first])
        while queue:
            known = queue.popleft()
            for told, after in self._moves(self._seen[known].world):
                found, step = alike(after), Step(after, known, told)
                self._before.setdefault(found, []).append(known)
                is_new = found not in self._seen
                if is_new:
                    self._seen[found] = step
                    if after.newest < self._setting.horizon:
                        queue.append(found)
                if (broken := self._fault(step, is_new)) is not None:
                    return self._report(broken, step)
        return self._stuck()

    def _moves(self, world: World) -> Iterator[tuple[str, World]]:
        yield from self._protocol.moves(world)
        yield from environment.moves(self._setting, world)

    def _fault(self, step: Step, is_new: bool) -> str | None:
        assert step.before is not None
        faults = step_faults(self._setting, self._seen[step.before].world, step.world)
        if is_new:
            faults = chain(faults, state_faults(self._setting, step.world))
        return next((fault for fault in faults if fault.split(":")[0] not in self._ignored), None)

    def _stuck(self) -> Report:
        """Return the first state from which no end can be reached, if there is one."""
        ends = [world for world in self._seen if is_end(self._setting, world)]
        beyond = (world for world in self._seen if world.newest >= self._setting.horizon)
        good = {*ends, *beyond}
        queue = deque(good)
        while queue:
            for before in self._before.get(queue.popleft(), ()):
                if before not in good:
                    good.add(before)
                    queue.append(before)
        stuck = next((step for world, step in self._seen.items() if world not in good), None)
        return self._report(stuck and "I5: no end can be reached", stuck, len(ends))

    def _report(self, broken: str | None, step: Step | None, ends: int = 0) -> Report:
        trace = [describe(step.world)] if step else []
        while step is not None and step.before is not None:
            trace.append(step.told)
            step = self._seen[step.before]
        return Report(len(self._seen), ends, broken, tuple(reversed(trace)))


def describe(world: World) -> str:
    """Return what a person wants to know about the state in which a trace ends."""
    rows = ", ".join(f"{row.state} with token {row.gen}" for row in world.rows)
    attempts = ", ".join(f"{number} {each.status}" for number, each in enumerate(world.attempts))
    return f"= the gateway's newest token is {world.newest}; rows: {rows}; attempts: {attempts}; {world.requests}"


def is_end(setting: Setting, world: World) -> bool:
    """Say whether all is well and quiet: the token lives or a person was called, and nothing is open."""
    return (
        all(worker.phase is Phase.IDLE for worker in world.workers)
        and not world.requests
        and not world.journal
        and all(_is_settled(setting, world, row) for row in world.rows)
        and all(each.status is not Status.STARTED for each in world.attempts)
    )


def _is_settled(setting: Setting, world: World, row: Row) -> bool:
    if row.state is TokenState.VALID:
        return setting.lives(world, row.gen)
    return row.state is TokenState.NEEDS_REAUTH


def state_faults(setting: Setting, world: World) -> Iterator[str]:
    """Return the invariants that a state breaks."""
    if len(world.requests) > 1:
        yield "I1: two requests can be carried out"
    if any(row.state is TokenState.VALID and not setting.lives(world, row.gen) for row in world.rows):
        yield "VALID: a row that says VALID holds a dead token"
    if not _is_kept(world):
        yield "I7: a token that was being stored is lost"
    if len({row.gen for row in world.rows}) > 1:
        yield "I4: readers of one developer's rows are handed tokens of different age"


def _is_kept(world: World) -> bool:
    """Say whether the newest token that somebody began to store is in a row, a journal, or that worker's hands."""
    places = {entry.gen for entry in world.journal} | {row.gen for row in world.rows}
    places |= {worker.reply for worker in world.workers if worker.phase is Phase.STORING}
    return max(places) >= world.kept


def _wrong_log(setting: Setting, world: World) -> Iterator[str]:
    """Return what attempts tell wrongly that have ended, and that nobody works on (I2)."""
    for each in done(world):
        kept = each.status in _STORED_OR_LOST or (setting.gateway is Gateway.GRACE and each.status is Status.OLD_ALIVE)
        if each.gen >= 0 and not kept:
            yield f"I2: a token was issued for an attempt that says {each.status}"
        if each.gen < 0 and (each.status is Status.SUCCEEDED or (each.status is Status.LOST and not each.recovery)):
            yield f"I2: no token was issued for an attempt that says {each.status}"


def step_faults(setting: Setting, before: World, after: World) -> Iterator[str]:
    """Return the invariants that a step breaks; attempts that are over too, since states that are alike forget them."""
    yield from _wrong_log(setting, after)
    for old, new in zip(before.rows, after.rows, strict=True):
        if new.gen < old.gen:
            yield "I3: the stored generation goes back"
        is_settling = old.state is TokenState.UNCERTAIN and old.next_at
        if is_settling and new.state is not TokenState.UNCERTAIN and new.gen == old.gen:
            yield "I6: a token in doubt is used before the settling is over"
    if len(after.attempts) > len(before.attempts) and not after.attempts[-1].recovery:
        owners = {worker_number for worker_number, worker in enumerate(after.workers) if worker.phase is Phase.LEASED}
        if any(_is_doubtful(row.state, row.owner, owners) for row in before.rows):
            yield "I6: a refresh begins over a lease, without settling and asking"


def _is_doubtful(state: TokenState, owner: int | None, owners: set[int]) -> bool:
    return state is TokenState.UNCERTAIN or (state is TokenState.REFRESHING and owner not in owners)
