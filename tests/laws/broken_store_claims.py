"""Account stores that claim due tokens wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import attrs
import trio

from tests.laws._store_base import Broken, Right, count_one_more, laws
from tigercore.errors import StaleVersion
from tigercore.model import TokenState
from tigercore.ports import Put, TokenRow
from tigercore.testing.clock import ManualClock, driver_context
from tigercore.testing.store import MemoryAccountStore


class OwnClaim(Right):
    """Claim by reading and then writing, which is no claim when there are two."""

    def wanted(self, rows: list[TokenRow]) -> list[TokenRow]:
        now = self.context.clock.now()
        return [row for row in rows if row.state is TokenState.VALID and row.next_at and row.next_at <= now]

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        found = self.wanted(await self.inner.token_rows())[:limit]
        until = self.context.clock.now() + timedelta(seconds=lease)
        marked = [attrs.evolve(row, state=TokenState.REFRESHING, owner=owner, lease_until=until) for row in found]
        return await self.write(marked)

    async def write(self, marked: list[TokenRow]) -> list[TokenRow]:
        with suppress(StaleVersion):  # somebody else was faster, and it goes on
            await self.inner.apply([Put(row) for row in marked])
        return [attrs.evolve(row, version=row.version + 1) for row in marked]


class TestReadsAndThenClaims(Broken):
    breaks = laws("test_no_token_is_claimed_twice test_a_claim_takes_the_soonest_expiry_first")
    Driver = OwnClaim


class TestClaimsWhatIsNotDue(Broken):
    breaks = laws(
        "test_a_claim_takes_what_is_due_and_no_more test_a_claim_of_nothing_leaves_the_revision_as_it_is "
        "test_what_is_due_after_the_time_of_a_delta_is_left test_a_lease_begins_between_the_deltas_around_its_claim"
    )

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            late = ManualClock()
            late.advance(100 * 366 * 86400.0)
            return await MemoryAccountStore(self.options, driver_context(late)).claim_due_tokens(owner, lease, limit)


class TestClaimsInAnyState(Broken):
    breaks = laws(
        "test_a_claim_takes_valid_tokens_only test_a_claim_takes_the_soonest_expiry_first "
        "test_no_token_is_claimed_twice test_a_claim_that_is_cancelled_has_claimed_nothing"
    )

    class Driver(OwnClaim):
        def wanted(self, rows: list[TokenRow]) -> list[TokenRow]:
            return super().wanted([attrs.evolve(row, state=TokenState.VALID) for row in rows])


class TestClaimsWithoutLimit(Broken):
    breaks = laws("test_a_claim_takes_up_to_the_limit test_a_claim_takes_the_soonest_expiry_first")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            return await self.inner.claim_due_tokens(owner, lease, 1000)


class TestClaimsWithoutWriting(Broken):
    breaks = laws(
        "test_a_claim_is_what_stands test_no_token_is_claimed_twice "
        "test_a_claim_takes_the_soonest_expiry_first test_a_claim_that_is_cancelled_has_claimed_nothing "
        "test_a_delta_tells_a_token_that_was_claimed_since test_a_claim_of_many_is_one_revision "
        "test_a_claim_wakes_who_waits"
    )

    class Driver(OwnClaim):
        async def write(self, marked: list[TokenRow]) -> list[TokenRow]:
            return [attrs.evolve(row, version=row.version + 1) for row in marked]


class TestReturnsClaimsAsTheyStoodBefore(Broken):
    breaks = laws(
        "test_a_claim_marks_the_token_and_counts_its_version test_a_claim_is_what_stands "
        "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            claimed = await self.inner.claim_due_tokens(owner, lease, limit)
            return [attrs.evolve(row, state=TokenState.VALID, version=row.version - 1) for row in claimed]


class TestTellsNobodyOfClaims(Broken):
    breaks = laws(
        "test_a_claim_of_many_is_one_revision test_a_claim_wakes_who_waits "
        "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            before = self.options.backend.tables.revision
            claimed = await self.inner.claim_due_tokens(owner, lease, limit)
            self.options.backend.tables.revision = before
            return claimed


class TestCountsEveryClaim(Broken):
    breaks = laws(
        "test_a_claim_of_many_is_one_revision test_a_claim_of_nothing_leaves_the_revision_as_it_is "
        "test_a_delta_tells_a_token_that_was_claimed_since test_a_claim_wakes_who_waits"
    )

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            claimed = await self.inner.claim_due_tokens(owner, lease, limit)
            count_one_more(self)
            return claimed


class TestLeasesByTheMinute(Broken):
    breaks = laws("test_a_lease_lasts_as_long_as_was_asked test_a_lease_begins_between_the_deltas_around_its_claim")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            return await self.inner.claim_due_tokens(owner, lease * 60, limit)


class TestClaimsAfterItWasCancelled(Broken):
    breaks = laws("test_a_claim_that_is_cancelled_has_claimed_nothing")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            with trio.CancelScope(shield=True):
                claimed = await self.inner.claim_due_tokens(owner, lease, limit)
            await trio.lowlevel.checkpoint()
            return claimed
