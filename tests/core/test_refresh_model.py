"""Every order in which kills, pauses and losses can meet the refresh protocol, by the rules that the programs run."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import attrs
import pytest

from tests.core.refresh_model.checker import Checker, Report
from tests.core.refresh_model.edits import with_status
from tests.core.refresh_model.protocol import Move, Protocol
from tests.core.refresh_model.world import Gateway, Phase, Row, Setting, Worker, World
from tigercore import _refresh as rules
from tigercore._refresh import Step
from tigercore.model import TokenRefreshStatus as Status
from tigercore.model import TokenState
from tigercore.ports import TokenRow

pytestmark = pytest.mark.floor  # the rules are the same everywhere, and the search is long

_SMALL = Setting(starts=1, faults=1, kills=1)
_TWICE = Setting(starts=2, faults=0, kills=1)
_MISJUDGED = attrs.evolve(_SMALL, looks=1)


@pytest.fixture(autouse=True)
def no_garbage() -> Iterator[None]:
    """Look for no garbage among states, which form no circles: that takes a quarter of the time."""
    gc.disable()
    yield
    gc.enable()


def checked(setting: Setting, protocol: Callable[[Setting], Protocol] = Protocol) -> Report:
    return Checker(protocol(setting)).run()


# -- the protocol keeps what it promises -----------------------------------------------------------------------


@pytest.mark.parametrize("gateway", Gateway)
@pytest.mark.parametrize(("starts", "faults", "kills"), [(2, 1, 0), (1, 2, 1), (1, 1, 2)])
def test_no_order_of_events_breaks_an_invariant(gateway: Gateway, starts: int, faults: int, kills: int) -> None:
    report = checked(Setting(gateway=gateway, starts=starts, faults=faults, kills=kills))
    assert report.broken is None, report
    assert report.states > 6_000  # a search that goes nowhere proves nothing
    assert report.ends > 10


@pytest.mark.parametrize("gateway", [Gateway.STRICT, Gateway.GRACE])
def test_no_order_of_events_breaks_an_invariant_of_two_siblings(gateway: Gateway) -> None:
    report = checked(attrs.evolve(_SMALL, gateway=gateway, siblings=2))
    assert report.broken is None, report
    assert report.states > 5_000


def test_a_clock_that_is_wrong_breaks_none() -> None:
    report = checked(_MISJUDGED)
    assert report.broken is None, report
    assert report.states > 5_000


def test_three_workers_break_none() -> None:
    report = checked(Setting(workers=3, starts=1, faults=1, kills=0))
    assert report.broken is None, report
    assert report.states > 30_000


# -- and each of its parts is needed ---------------------------------------------------------------------------


class Unfenced(Protocol):
    """Write over whatever version is there."""

    def is_current(self, row: Row) -> bool:
        return True


class Unguarded(Protocol):
    """Store a token over itself, as who adopts a journal late."""

    def lacks(self, row: Row, gen: int) -> bool:
        return True


class Unjournalled(Protocol):
    """Keep a token that was received in memory alone."""

    def note(self, world: World, number: int, worker: Worker) -> World:
        return world


class Trying(Protocol):
    """Send a request once more when no reply comes."""

    def silence(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        again = worker._replace(phase=Phase.LEASED, age=0)
        workers = (*world.workers[:number], again, *world.workers[number + 1 :])
        yield "hears nothing, and tries again", world._replace(workers=workers)


class Careless(Protocol):
    """Write how a try has failed into rows that others may have leased since."""

    def held(self, world: World, number: int, worker: Worker) -> tuple[int, ...]:
        return tuple(place for place, row in enumerate(world.rows) if row.gen == worker.token)


class Hopeful(Protocol):
    """Call a token valid again of whose recovery nothing was sent."""

    def unsent(self, recovery: bool) -> TokenState:
        return TokenState.VALID


class Guessing(Protocol):
    """Say of a request without a reply that it was not sent."""

    def silence(self, world: World, number: int, worker: Worker) -> Iterator[Move]:
        for told, after in super().silence(world, number, worker):
            yield told, with_status(after, worker.attempt, Status.NOT_SENT)


class Judging(Protocol):
    """Ask about a token that others are refreshing, and write what the gateway says."""

    def may_look(self, rows: tuple[Row, ...]) -> bool:
        return True


def no_lease(monkeypatch: pytest.MonkeyPatch) -> type[Protocol]:
    monkeypatch.setattr(rules, "is_leased", lambda row, at: False)
    monkeypatch.setattr(rules, "next_step", lambda family, at, claimed_by=None: Step.REFRESH)
    return Unfenced


def no_guard(monkeypatch: pytest.MonkeyPatch) -> type[Protocol]:
    monkeypatch.setattr(rules, "takes", lambda row, token: True)
    return Protocol


def lease_is_permission(monkeypatch: pytest.MonkeyPatch) -> type[Protocol]:
    right = rules.next_step

    def next_step(family: Iterable[TokenRow], at: datetime, claimed_by: str | None = None) -> Step:
        step = right(family, at, claimed_by)
        return Step.REFRESH if step is Step.DOUBT else step

    monkeypatch.setattr(rules, "next_step", next_step)
    return Protocol


def settling(ticks: int) -> Setting:
    return attrs.evolve(_SMALL, settle=ticks)


@attrs.frozen
class Bug:
    name: str
    plant: Callable[[pytest.MonkeyPatch], type[Protocol]]
    broken: str
    setting: Setting = _SMALL


_BUGS = [
    Bug("no settling", lambda _: Protocol, "I2", settling(0)),
    Bug("a settling that is one tick too short", lambda _: Protocol, "I2", settling(1)),
    Bug("no generation guard", no_guard, "I3", _TWICE),
    Bug("a token is stored twice", lambda _: Unguarded, "VALID", _TWICE),
    Bug("no lease", no_lease, "I6"),
    Bug("no fence", lambda _: Unfenced, "I6"),
    Bug("an expired lease is permission", lease_is_permission, "I6"),
    Bug("a silent request is tried again", lambda _: Trying, "I1"),
    Bug("a silent request is called unsent", lambda _: Guessing, "I2"),
    Bug("no journal", lambda _: Unjournalled, "I7"),
    Bug("who was too late writes over a doubt", lambda _: Careless, "I6"),
    Bug("a recovery that was not sent makes valid", lambda _: Hopeful, "VALID"),
    Bug("a leased token is judged by a wrong clock", lambda _: Judging, "VALID", _MISJUDGED),
]


@pytest.mark.parametrize("bug", _BUGS, ids=lambda bug: bug.name)
def test_a_protocol_with_a_part_left_out_breaks_an_invariant(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    report = checked(bug.setting, bug.plant(monkeypatch))
    print(report)  # the trace that led there
    assert report.broken is not None
    assert bug.broken == report.broken.split(":")[0]
    assert report.trace


# -- what no protocol of leases can promise --------------------------------------------------------------------

# Reliability 3.4, A1: a process that stands still behind its last check, or with a token in its hands, for longer than
# lease and settling. Then two requests may be carried out (I1); one may issue a token for an attempt that others have
# ended (I2); and a row may say VALID while its token is dead, until the next reader is refused. All else holds.
_UNPROMISED = frozenset({"VALID", "I1", "I2"})
_FROZEN = Setting(starts=1, faults=1, kills=0, freezes=True, horizon=4)


@pytest.mark.parametrize("gateway", Gateway)
def test_a_worker_that_freezes_behind_its_last_check_costs_no_more_than_the_pages_say(gateway: Gateway) -> None:
    report = Checker(Protocol(attrs.evolve(_FROZEN, gateway=gateway)), _UNPROMISED).run()
    assert report.broken is None, report
    assert report.states > 1_500


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("VALID", _FROZEN),
        ("I1", attrs.evolve(_FROZEN, starts=2)),
        ("I2", attrs.evolve(_FROZEN, faults=2)),
    ],
)
def test_a_worker_that_freezes_there_breaks_each_promise_that_is_not_given(name: str, setting: Setting) -> None:
    report = Checker(Protocol(setting), _UNPROMISED - {name}).run()
    assert report.broken is not None
    assert name == report.broken.split(":")[0]
