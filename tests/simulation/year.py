"""A year of fifty accounts in seconds: `python -m tests.simulation.year SEED` replays one."""

from __future__ import annotations

import gc
import hashlib
import logging
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, final

import attrs
import trio

from tests.conftest import World, given
from tests.simulation.gateway import YearlyClient
from tigercore import Settings, Tigercore, _scheduler, _vault, run_on
from tigercore.app import Ports
from tigercore.clock import Clock
from tigercore.errors import StoreUnavailable, TigerCoreError
from tigercore.model import RefreshTrigger, TokenRefreshStatus, TokenState
from tigercore.settings import TokenSettings
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

ACCOUNTS = 50
DAY = 86_400.0
YEAR = 365 * DAY
_START = datetime(2026, 1, 5, tzinfo=UTC)


@final
class Time(trio.abc.Clock):
    """Let it be the next deadline as soon as no task can go on; trio's own MockClock takes a round to make sure."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def start_clock(self) -> None:
        """Begin at zero."""

    def current_time(self) -> float:
        return self.seconds

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if deadline == float("inf"):
            return deadline
        self.seconds = max(self.seconds, deadline)
        return 0.0


@final
class WrongClock(Clock):
    """Show the time, and as much more as somebody has set it ahead."""

    def __init__(self, time: Time) -> None:
        self.ahead = 0.0
        self._time = time

    @property
    def right(self) -> datetime:
        return _START + timedelta(seconds=self._time.seconds)

    def now(self) -> datetime:
        return _START + timedelta(seconds=self._time.seconds + self.ahead)

    def monotonic(self) -> float:
        return self._time.seconds


@final
class StoreClock(Clock):
    """Show the right time: the database's machine is another one."""

    def __init__(self, time: Time) -> None:
        self._time = time

    def now(self) -> datetime:
        return _START + timedelta(seconds=self._time.seconds)

    def monotonic(self) -> float:
        return self._time.seconds


@final
@attrs.define
class Year:
    """What happens in a year, by one seed."""

    seed: int
    accounts: int = ACCOUNTS
    settle: float = 60.0
    broken: list[str] = attrs.field(factory=list)
    told: Counter[str] = attrs.field(factory=Counter)
    trace: Any = attrs.field(factory=hashlib.sha256)

    def run(self) -> None:
        """Live through it."""
        time = Time()
        trio.run(self._live, time, clock=time)

    async def _live(self, time: Time) -> None:
        rng, clock = random.Random(self.seed), WrongClock(time)
        client = YearlyClient(driver_context(clock), rng, self._tell)
        world = World(
            clock=StoreClock(time),  # type: ignore[arg-type]
            client=client,  # type: ignore[arg-type]
        )
        async with trio.open_nursery() as nursery:
            client.serve(nursery)
            trouble = await nursery.start(self._trouble, rng, world, clock, client)
            await self._enrol(world, rng, clock, client)
            while trio.current_time() < YEAR:
                while world.backend.broken:  # noqa: ASYNC110  (a process that starts is refused; somebody starts it again)
                    await trio.sleep(60)
                async with self._opened(world, rng, clock) as tiger:
                    await self._days(rng, tiger, world, client)
                self._tell("restart", "")
            trouble.cancel()
            client.is_down = client.is_faulty = world.backend.broken = False
            async with self._opened(world, rng, clock) as tiger:
                await trio.sleep(2 * DAY)
                await self._visit(tiger, world, client)
                await trio.sleep(2 * DAY)
                await self._judge(tiger, world, client)
            nursery.cancel_scope.cancel()

    def _opened(
        self, world: World, rng: random.Random, clock: Clock, *, auto_refresh: bool = True
    ) -> AbstractAsyncContextManager[Tigercore]:
        """Start a process: the store is the same, and all that is random is another."""
        ports = Ports(world.store, ToyCipher(ToyOptions("root"), driver_context(clock)), world.client, world.balancers)
        settings = Settings(tokens=TokenSettings(auto_refresh=auto_refresh, parallel=8, settle=self.settle))
        return run_on(ports, settings, clock=clock, rng=random.Random(rng.random()), initiator="year")

    async def _enrol(self, world: World, rng: random.Random, clock: Clock, client: YearlyClient) -> None:
        async with self._opened(world, rng, clock, auto_refresh=False) as tiger:
            for number in range(self.accounts):
                developer = str(20_000_000 + number)
                names = {"account_name": f"year {number}", "tiger_id": developer}
                held = given(license="TBHK", token=client.issue(developer), **names)
                await tiger.accounts.create_account(**held)

    async def _days(self, rng: random.Random, tiger: Tigercore, world: World, client: YearlyClient) -> None:
        """Let a process run for some days; a person looks after it every day."""
        end = trio.current_time() + rng.uniform(1, 60) * DAY
        while trio.current_time() < min(end, YEAR):
            await trio.sleep(DAY)
            with suppress(StoreUnavailable):
                await self._visit(tiger, world, client)

    async def _visit(self, tiger: Tigercore, world: World, client: YearlyClient) -> None:
        now = client.right_time()
        for row in await world.store.token_rows():
            if row.state is TokenState.VALID and row.expires_at is not None and row.expires_at <= now:
                self.broken.append(f"{row.id}: its token has ended, and says VALID")
            if row.state is TokenState.NEEDS_REAUTH:
                account = await tiger.accounts.get_account_by_id(row.id)
                self._tell("person", str(row.id))
                credentials = await tiger.accounts.decrypt_credentials(account)
                with suppress(TigerCoreError):
                    await tiger.accounts.update_tokens(account.id, client.issue(credentials.tiger_id.reveal()))

    async def _trouble(
        self,
        rng: random.Random,
        world: World,
        clock: WrongClock,
        client: YearlyClient,
        task_status: trio.TaskStatus[trio.CancelScope],
    ) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            await self._go_wrong(rng, world, clock, client)

    async def _go_wrong(self, rng: random.Random, world: World, clock: WrongClock, client: YearlyClient) -> None:
        while True:
            await trio.sleep(rng.expovariate(1 / (5 * DAY)))
            what = rng.choice(["gateway", "store", "clock"])
            self._tell(what, "")
            if what == "clock":
                clock.ahead = rng.choice([0.0, 3600.0, -3600.0, rng.uniform(-3600, 3600)])
            elif what == "gateway":
                client.is_down = True
                await trio.sleep(_some_time(rng, 60, DAY))
                client.is_down = False
            else:
                world.backend.broken = True
                await trio.sleep(_some_time(rng, 10, 1800))
                world.backend.broken = False

    async def _judge(self, tiger: Tigercore, world: World, client: YearlyClient) -> None:
        if client.meetings:
            self.broken.append(f"{client.meetings} times two requests of one developer met")
        rows = {row.id: row for row in await world.store.token_rows()}
        for account in await tiger.accounts.list_accounts():
            developer = (await tiger.accounts.decrypt_credentials(account)).tiger_id.reveal()
            row, token = rows[account.id], await tiger.tokens.token_for(account)
            if row.state is not TokenState.VALID or token is None or token.value.reveal() != client.living[developer]:
                self.broken.append(f"{account.account_name}: at the end its token is {row.state}, or another")
            attempts = await world.store.token_attempts({account.id}, limit=10_000)
            told = Counter((each.status, each.trigger is RefreshTrigger.ERROR) for each in attempts)
            kept = told[TokenRefreshStatus.SUCCEEDED, False] + told[TokenRefreshStatus.SUCCEEDED, True]
            lost = told[TokenRefreshStatus.LOST, False]
            if client.accepted[developer] != kept + lost or told[TokenRefreshStatus.STARTED, False]:
                self.broken.append(f"{account.account_name}: {client.accepted[developer]} accepted; {dict(told)}")
            self.told["accepted"] += client.accepted[developer]

    def _tell(self, what: str, whom: str) -> None:
        self.told[what] += 1
        self.trace.update(f"{trio.current_time():.6f} {what} {whom}\n".encode())


def _some_time(rng: random.Random, least: float, most: float) -> float:
    """Return how long an outage lasts: as often minutes as hours or days."""
    return least * (most / least) ** rng.random()


@contextmanager
def _undisturbed(seed: int) -> Iterator[None]:
    """Let nothing happen but what the seed brings, and nothing for which nobody looks."""
    from trio._core import _run

    _run._ALLOW_DETERMINISTIC_SCHEDULING = True
    _run._r.seed(seed)
    look, stuck, kept = _scheduler._LOOK_AGAIN, _scheduler._STUCK, _vault.KEPT
    _scheduler._LOOK_AGAIN, _scheduler._STUCK, _vault.KEPT = DAY, 3 * DAY, DAY  # else it wakes for nothing
    log = logging.getLogger("tigercore")
    level = log.level
    log.setLevel(logging.CRITICAL)
    gc.disable()  # it takes a sixth of the time
    try:
        yield
    finally:
        gc.enable()
        log.setLevel(level)
        _scheduler._LOOK_AGAIN, _scheduler._STUCK, _vault.KEPT = look, stuck, kept


def live(seed: int, settle: float = 60.0) -> Year:
    """Return what a year brought; the same seed brings the same."""
    year = Year(seed, settle=settle)
    with _undisturbed(seed):
        year.run()
    return year


if __name__ == "__main__":
    found = live(int(sys.argv[1]))
    print(dict(found.told), found.trace.hexdigest())
    print("\n".join(found.broken))
    sys.exit(bool(found.broken))
