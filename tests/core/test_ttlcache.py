"""Opened secrets are kept for a while, and no longer."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.conftest import World, add
from tigercore import Tigercore
from tigercore._ttlcache import TtlCache
from tigercore._vault import KEPT
from tigercore.testing.clock import ManualClock

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cache(clock: ManualClock) -> TtlCache[str]:
    return TtlCache(clock, 10.0, most=2)


def test_what_was_put_is_there_until_its_time_is_over(cache: TtlCache[str], clock: ManualClock) -> None:
    cache.put(ONE, "one")
    clock.advance(9.9)
    assert "one" == cache.get(ONE)
    clock.advance(0.1)
    assert None is cache.get(ONE)


def test_reading_does_not_prolong(cache: TtlCache[str], clock: ManualClock) -> None:
    cache.put(ONE, "one")
    clock.advance(9)
    cache.get(ONE)
    clock.advance(1)
    assert None is cache.get(ONE)


def test_putting_again_does(cache: TtlCache[str], clock: ManualClock) -> None:
    cache.put(ONE, "one")
    clock.advance(9)
    cache.put(ONE, "new")
    clock.advance(9)
    assert "new" == cache.get(ONE)


def test_the_oldest_goes_if_there_are_too_many(cache: TtlCache[str]) -> None:
    for account_id in (ONE, TWO, ONE, THREE):
        cache.put(account_id, "kept")
    assert [True, False, True] == [cache.get(each) is not None for each in (ONE, TWO, THREE)]


def test_a_sweep_drops_what_nobody_asks_for(cache: TtlCache[str], clock: ManualClock) -> None:
    cache.put(ONE, "one")
    clock.advance(5)
    cache.put(TWO, "two")
    clock.advance(5)
    cache.sweep()
    assert (1, "two") == (len(cache), cache.get(TWO))


def test_dropped_and_cleared_is_gone(cache: TtlCache[str]) -> None:
    cache.put(ONE, "one")
    cache.put(TWO, "two")
    cache.drop(ONE)
    assert (1, None) == (len(cache), cache.get(ONE))
    cache.clear()
    assert 0 == len(cache)


async def test_a_parsed_key_leaves_memory_when_its_time_is_over(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    first = tiger.accounts.signer(account)
    assert first is tiger.accounts.signer(account)
    world.clock.advance(KEPT)
    assert first is not tiger.accounts.signer(account)


async def test_an_idle_accounts_key_is_swept_away(world: World, autojump_clock: object) -> None:
    import trio

    async with world.open() as tiger:
        tiger.accounts.signer(await add(tiger))
        kept = tiger.tokens._vault._signers
        assert 1 == len(kept)
        world.clock.advance(KEPT)
        await trio.sleep(KEPT + 1)
        assert 0 == len(kept)
