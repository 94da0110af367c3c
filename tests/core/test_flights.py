"""Work on a developer's token: one at a time, shared by all who ask for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.conftest import add
from tigercore import StoreUnavailable, TigerAccount, Tigercore, TokenNeedsReauthorisation, TokenRefreshError
from tigercore._flights import Flights


@pytest.fixture
async def flights() -> AsyncIterator[Flights]:
    async with trio.open_nursery() as nursery:
        yield Flights(nursery)


@pytest.fixture
async def account(tiger: Tigercore) -> TigerAccount:
    return await add(tiger)


class Work:
    """Work that waits until it is let go, and counts how often it was begun."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.go = trio.Event()
        self._error = error

    async def __call__(self) -> None:
        self.begun += 1
        await self.go.wait()
        if self._error is not None:
            raise self._error


async def test_who_asks_for_what_is_under_way_shares_it(flights: Flights, account: TigerAccount) -> None:
    work = Work()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(flights.share, account, "refresh", work)
        await wait_all_tasks_blocked()
        work.go.set()
    assert 1 == work.begun


async def test_who_asks_for_other_work_waits_until_that_is_done(flights: Flights, account: TigerAccount) -> None:
    first, second = Work(), Work()
    second.go.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flights.share, account, "settle", first)
        await wait_all_tasks_blocked()
        nursery.start_soon(flights.share, account, "refresh", second)
        await wait_all_tasks_blocked()
        assert 0 == second.begun
        first.go.set()
    assert 1 == second.begun


async def test_work_that_is_done_is_begun_anew_for_the_next(flights: Flights, account: TigerAccount) -> None:
    work = Work()
    work.go.set()
    for _ in range(2):
        await flights.share(account, "refresh", work)
    assert 2 == work.begun


async def test_accounts_of_one_developer_share_and_those_of_two_do_not(flights: Flights, tiger: Tigercore) -> None:
    accounts = [await add(tiger, tiger_id=developer) for developer in ("20150001", "20150001", "20150002")]
    work = Work()
    async with trio.open_nursery() as nursery:
        for account in accounts:
            nursery.start_soon(flights.share, account, "refresh", work)
        await wait_all_tasks_blocked()
        work.go.set()
    assert 2 == work.begun


async def test_each_caller_hears_how_it_failed(flights: Flights, account: TigerAccount) -> None:
    work = Work(TokenNeedsReauthorisation("its token is dead"))
    heard = []

    async def ask() -> None:
        with pytest.raises(TokenNeedsReauthorisation, match="its token is dead"):
            await flights.share(account, "refresh", work)
        heard.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        work.go.set()
    assert [True, True] == heard


async def test_an_error_of_a_port_is_one_of_the_token(flights: Flights, account: TigerAccount) -> None:
    work = Work(StoreUnavailable("the disk is full"))
    work.go.set()
    with pytest.raises(TokenRefreshError, match="the disk is full"):
        await flights.share(account, "refresh", work)


async def test_a_caller_who_gives_up_leaves_the_work_to_the_others(flights: Flights, account: TigerAccount) -> None:
    work, done = Work(), []

    async def ask() -> None:
        await flights.share(account, "refresh", work)
        done.append(True)

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as impatient:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            impatient.cancel()
            await flights.share(account, "refresh", work)
        work.go.set()
    assert ([True], 1) == (done, work.begun)


async def test_when_tigercore_is_closing_nothing_is_begun(account: TigerAccount) -> None:
    async with trio.open_nursery() as nursery:
        flights = Flights(nursery)
    with pytest.raises(TokenRefreshError, match="tigercore is closing"):
        await flights.share(account, "refresh", partial(trio.sleep, 0))
