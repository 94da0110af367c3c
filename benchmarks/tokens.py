"""Row group 4: what it costs to keep tokens alive: refreshes at once, a scheduler with nothing to do, the fast path."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import final

import attrs
import trio

from benchmarks.backends import Backend, backends
from benchmarks.installation import install, populate
from benchmarks.measure import Row, Scale, beside_async
from benchmarks.opening import traced
from benchmarks.world import SHARE, NullClient, opened
from tigercore import TigerAccount, Tigercore, Token, run_on
from tigercore._plugins import choose
from tigercore.app import Ports
from tigercore.clock import SystemClock
from tigercore.ports import AccountStore, Signer
from tigercore.settings import TokenSettings
from tigercore.testing.clock import driver_context

Work = Callable[[TigerAccount], Awaitable[object]]

_DEVELOPERS = 50
_DELAY = 0.02  # seconds that the gateway takes for a refresh
_AT_LEAST = 1_000  # refreshes a second
_IDLE = 100_000
_SHARE_OF_A_CORE = 0.5  # per cent
_SCAN = 5.0  # ms
_HELD = 1.0  # KiB
_FAST = 2.0  # µs


@final
class SlowClient(NullClient):
    """Give a new token after 20 ms, as a gateway that is near does."""

    async def refresh(self, signer: Signer, token: Token) -> Token:
        await trio.sleep(_DELAY)
        return await super().refresh(signer, token)


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Measure all three."""
    yield await _fast_path(scale)
    async for row in _refreshes(scale):
        yield row
    async for row in _idle(scale):
        yield row


# -- the fast path -----------------------------------------------------------------------------------------


async def _fast_path(scale: Scale) -> Row:
    async with opened(1_000, NullClient(driver_context(SystemClock()))) as tiger:
        account = (await tiger.accounts.list_accounts())[1]
        work = partial(tiger.tokens.token_for, account)
        least, took = (seconds * 1e6 for seconds in await beside_async(_nothing, work, scale))
    return Row("tokens", "token_for, a token that lives", "µs", took, least, "await nothing", took, _FAST, "≤ 2 µs")


async def _nothing() -> None: ...


# -- refreshes ---------------------------------------------------------------------------------------------


async def _refreshes(scale: Scale) -> AsyncIterator[Row]:
    with TemporaryDirectory() as place:
        async with opened(_DEVELOPERS * SHARE, _slow(), tokens=_busy(place)) as tiger:
            yield await _row(tiger, "memory", scale)
    with backends() as found:
        for backend in found:
            with TemporaryDirectory() as place:
                async with _stored(backend, Path(place), _DEVELOPERS * SHARE) as tiger:
                    yield await _row(tiger, backend.name, scale)


def _slow() -> SlowClient:
    return SlowClient(driver_context(SystemClock()))


def _busy(place: str | Path) -> TokenSettings:
    return TokenSettings(parallel=_DEVELOPERS, per_minute=10**9, journal=str(place))


async def _row(tiger: Tigercore, name: str, scale: Scale) -> Row:
    accounts = (await tiger.accounts.list_accounts())[::SHARE]
    bare, whole = (partial(_rate, work, accounts, scale.seconds * 12) for work in (_ask(tiger), _refresh(tiger)))
    pairs = [(await bare(), await whole()) for _ in range(3)]
    least, rate = (median(side) for side in zip(*pairs, strict=True))
    what, text = f"{name}: refreshes of {len(accounts)} developers", f"≥ {_AT_LEAST:,}/s"
    return Row("tokens", what, "/s", rate, least, "the client's refresh alone", rate, _AT_LEAST, text, at_least=True)


def _ask(tiger: Tigercore) -> Work:
    async def ask(account: TigerAccount) -> None:
        token = await tiger.tokens.token_for(account)
        assert token is not None
        await tiger.tokens._client.refresh(tiger.accounts.signer(account), token)

    return ask


def _refresh(tiger: Tigercore) -> Work:
    async def refresh(account: TigerAccount) -> None:
        result = await tiger.tokens.refresh_token(account)
        assert result.success, result.error

    return refresh


async def _rate(work: Work, accounts: Sequence[TigerAccount], seconds: float) -> float:
    """Return how often a second this is done by one task for each account."""
    done, began = 0, time.perf_counter()

    async def go_on(account: TigerAccount) -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await work(account)
            done += 1

    async with trio.open_nursery() as nursery:
        for account in accounts:
            nursery.start_soon(go_on, account)
    return done / (time.perf_counter() - began)


@asynccontextmanager
async def _stored(backend: Backend, place: Path, count: int) -> AsyncIterator[Tigercore]:
    """Open tigercore on a store of SQL and the local cipher, with a gateway that takes its time."""
    settings = attrs.evolve(await install(place, backend.new()), tokens=_busy(place / "journal"))
    await populate(settings, count)
    choice, clock, client = choose(settings), SystemClock(), _slow()
    context = driver_context(clock)
    async with choice.store.open(context) as store, choice.cipher.open(context) as cipher:
        journal = place / "journal"
        async with run_on(Ports(store, cipher, client, {}), settings, clock=clock, journal=journal) as tiger:
            yield tiger


# -- nothing to do -----------------------------------------------------------------------------------------


async def _idle(scale: Scale) -> AsyncIterator[Row]:
    async with opened(_IDLE, _slow()) as tiger:
        before = time.process_time(), time.perf_counter()
        await trio.sleep(scale.seconds * 40)
        bare = _load(*before)
        held = await _started(tiger)
        yield Row("tokens", "scheduler: memory of an account", "KiB", held, 1.0, "1 KiB", held, _HELD, "≤ 1 KiB")
        before = time.process_time(), time.perf_counter()
        await trio.sleep(scale.seconds * 40)
        busy = _load(*before)
        added, text = busy - bare, f"≤ {_SHARE_OF_A_CORE} % more"
        what = f"scheduler: idle, {_IDLE:,} accounts"
        yield Row("tokens", what, "%", busy, bare or 0.01, "no scheduler", added, _SHARE_OF_A_CORE, text)
    with backends() as found:
        for backend in found:
            yield await _scan(backend, scale)


def _load(cpu: float, wall: float) -> float:
    """Return the part of a core, in per cent, that this process has used since then."""
    return (time.process_time() - cpu) / (time.perf_counter() - wall) * 100


async def _started(tiger: Tigercore) -> float:
    """Start the scheduler and let it note all accounts; return the KiB that it then holds for each."""
    tracemalloc.start()
    try:
        before = traced()
        await tiger.tokens.start_background_refresh_scheduler()
        while tiger.tokens.scheduler_status().waiting < _IDLE:  # noqa: ASYNC110  (nobody tells)
            await trio.sleep(0.1)
        return (traced() - before) / _IDLE
    finally:
        tracemalloc.stop()


async def _scan(backend: Backend, scale: Scale) -> Row:
    """Look for what is due among many of which nothing is."""
    with TemporaryDirectory() as place:
        settings = await install(Path(place), backend.new())
        await populate(settings, _IDLE)
        async with choose(settings).store.open(driver_context(SystemClock())) as store:
            least, took = await beside_async(partial(store.key_ring), partial(_claim, store), scale)
    what = f"{backend.name}: due scan, {_IDLE:,} accounts"
    return Row("tokens", what, "ms", took * 1e3, least * 1e3, "reading the key ring", took * 1e3, _SCAN, "≤ 5 ms")


async def _claim(store: AccountStore) -> None:
    assert not await store.claim_due_tokens("bench", 45.0, 16)
