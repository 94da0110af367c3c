"""Account stores that tell a wrong time. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs

from tests.laws._store_base import Altered, Broken, Right, laws
from tigercore.ports import Delta, DriverContext, TokenRow
from tigercore.testing.clock import ManualClock, driver_context
from tigercore.testing.store import MemoryAccountStore

_BACK = "test_the_time_of_deltas_never_goes_back "
_CLAIMED = "test_what_is_due_by_the_time_of_a_delta_is_claimed "
_LEFT = "test_what_is_due_after_the_time_of_a_delta_is_left "
_LEASE = "test_a_lease_begins_between_the_deltas_around_its_claim "
_UTC = "test_the_time_of_a_delta_is_aware_and_in_utc "
_NO_TIME = datetime.fromtimestamp(0, UTC)


class TestTellsNoTime(Broken):
    breaks = laws(_LEFT + _LEASE)

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, now=_NO_TIME)


class TestTellsNoTimeIfThereIsNothingElseToTell(Broken):
    breaks = laws(_BACK)

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return delta if delta.accounts or delta.tokens else attrs.evolve(delta, now=_NO_TIME)


class TestTellsTheTimeOfEachProcess(Broken):
    """As with processes whose clocks differ, and a database whose clock is not asked."""

    breaks = laws(_BACK + _CLAIMED + _LEASE)

    class Driver(Altered):
        opened = itertools.count(1)

        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.ahead = timedelta(microseconds=next(self.opened))

        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, now=delta.now + self.ahead)


class TestTellsTheTimeOfAPlaceWithoutSayingSo(Broken):
    breaks = laws(_UTC + _CLAIMED + _LEFT + _LEASE)

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, now=delta.now.replace(tzinfo=None))


class TestTellsTheTimeOfAnotherPlace(Broken):
    breaks = laws(_UTC)

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, now=delta.now.astimezone(timezone(timedelta(hours=8))))


class TestClaimsAMomentTooLate(Broken):
    """As if due were: `next_at` before the store's own clock."""

    breaks = laws(_CLAIMED)

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            early = ManualClock(self.context.clock.now() - timedelta(microseconds=1))
            inner = MemoryAccountStore(self.options, driver_context(early))
            return await inner.claim_due_tokens(owner, lease + 1e-6, limit)


class TestClaimsTwoHoursTooEarly(Broken):
    breaks = laws(_LEFT)

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            late = ManualClock(self.context.clock.now() + timedelta(hours=2))
            inner = MemoryAccountStore(self.options, driver_context(late))
            return await inner.claim_due_tokens(owner, lease - 7200, limit)


class TestLeasesInTheTimeOfTheProcess(Broken):
    breaks = laws(_LEASE)

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            return await self.inner.claim_due_tokens(owner, lease + 1, limit)
