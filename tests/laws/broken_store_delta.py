"""Account stores whose deltas are wrong. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from uuid import UUID

import attrs

from tests.laws._store_base import Altered, Broken, Right, laws
from tigercore.model import KeyRing
from tigercore.ports import Delta

_WHOLE = "test_a_delta_from_the_start_tells_everything "
_AS_IT_STANDS = "test_a_delta_tells_an_account_as_it_stands test_a_delta_tells_a_token_as_it_stands "
_MOMENT = "test_a_delta_is_of_one_moment "
_FOLLOWED = "test_who_follows_the_deltas_misses_nothing "


# -- which rows --------------------------------------------------------------------------------------------


class TestTellsEverythingAlways(Broken):
    breaks = laws(
        _FOLLOWED + "test_a_delta_leaves_out_what_was_put_before test_a_delta_behind_the_last_batch_tells_no_rows "
        "test_a_delta_tells_a_token_without_its_account test_a_delta_tells_an_account_without_its_token "
        "test_accounts_of_a_delta_come_in_the_order_of_their_creation "
        "test_a_delta_tells_a_token_that_was_claimed_since test_a_delta_tells_no_records "
        "test_a_delta_leaves_out_what_was_removed_before"
    )

    class Driver(Right):
        async def delta(self, after: int = -1) -> Delta:
            return await self.inner.delta(-1)


class TestTellsTheBatchBeforeToo(Broken):
    breaks = laws(
        _FOLLOWED + "test_a_delta_leaves_out_what_was_put_before test_a_delta_behind_the_last_batch_tells_no_rows "
        "test_a_delta_tells_a_token_without_its_account test_a_delta_tells_an_account_without_its_token "
        "test_accounts_of_a_delta_come_in_the_order_of_their_creation "
        "test_a_delta_tells_a_token_that_was_claimed_since test_a_delta_tells_no_records "
        "test_a_delta_leaves_out_what_was_removed_before"
    )

    class Driver(Right):
        async def delta(self, after: int = -1) -> Delta:
            return await self.inner.delta(after - 1)


class TestLeavesOutTheNextBatch(Broken):
    breaks = laws(
        _FOLLOWED + "test_a_delta_tells_what_was_put_since test_a_delta_leaves_out_what_was_put_before "
        "test_a_delta_tells_which_accounts_were_removed_since "
        "test_accounts_of_a_delta_come_in_the_order_of_their_creation "
        "test_an_account_that_came_and_went_since_is_told_as_removed "
        "test_an_account_that_was_removed_again_is_told_as_removed "
        "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Right):
        async def delta(self, after: int = -1) -> Delta:
            return await self.inner.delta(after + (after > 0))


class TestTellsNewRowsOnly(Broken):
    breaks = laws(
        _AS_IT_STANDS + "test_a_delta_is_of_one_moment test_accounts_of_a_delta_come_in_the_order_of_their_creation "
        "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            accounts = tuple(row for row in delta.accounts if row.version == 1)
            return attrs.evolve(delta, accounts=accounts, tokens=tuple(row for row in delta.tokens if row.version == 1))


class TestTellsAccountsWithoutWhatIsSealed(Broken):
    breaks = laws(_WHOLE + "test_a_delta_tells_an_account_as_it_stands")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, accounts=tuple(attrs.evolve(row, sealed=b"") for row in delta.accounts))


class TestTellsTheFamilyOfEveryRow(Broken):
    breaks = laws(
        "test_a_delta_tells_a_token_without_its_account test_a_delta_tells_an_account_without_its_token "
        "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            ids = {row.id for row in delta.accounts} | {row.id for row in delta.tokens}
            accounts = tuple(row for row in self.tables.accounts.values() if row.id in ids)
            return attrs.evolve(
                delta, accounts=accounts, tokens=tuple(row for row in self.tables.tokens.values() if row.id in ids)
            )


class TestTellsAccountsInTheOrderOfTheirLastChange(Broken):
    breaks = laws("test_accounts_of_a_delta_come_in_the_order_of_their_creation")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            put_at = self.tables.accounts_put_at
            return attrs.evolve(delta, accounts=tuple(sorted(delta.accounts, key=lambda row: put_at[row.id])))


class TestTellsNoClaims(Broken):
    breaks = laws("test_a_delta_tells_a_token_that_was_claimed_since")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, tokens=tuple(row for row in delta.tokens if row.owner != "me"))


# -- the ring, the revision, and the moment ----------------------------------------------------------------


class TestTellsTheFirstRingAlways(Broken):
    breaks = laws(_WHOLE + _MOMENT + "test_a_delta_tells_the_key_ring_changed_or_not")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, ring=delta.ring and attrs.evolve(delta.ring, epoch=1))


class TestTellsANewRingOnly(Broken):
    breaks = laws("test_a_delta_tells_the_key_ring_changed_or_not")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return delta if after <= 0 else attrs.evolve(delta, ring=None)


class TestInventsARingToTell(Broken):
    breaks = laws(
        "test_a_new_store_has_nothing_to_tell test_a_delta_behind_the_last_batch_tells_no_rows "
        "test_a_delta_leaves_out_what_was_removed_before test_a_delta_tells_no_records "
        "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, ring=delta.ring or KeyRing(UUID(int=1), 0, ()))


class TestNamesTheRevisionThatWasAsked(Broken):
    breaks = laws(
        _WHOLE
        + _MOMENT
        + _FOLLOWED
        + "test_a_delta_names_the_revision_that_stands test_a_new_store_has_nothing_to_tell "
        + "test_a_delta_tells_a_token_that_was_claimed_since"
    )

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, revision=after)


class TestReadsTheRingAfterTheRows(Broken):
    breaks = laws(_MOMENT)

    class Driver(Right):
        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            return attrs.evolve(delta, ring=await self.inner.key_ring())


class TestReadsTokensAfterAccounts(Broken):
    breaks = laws(_MOMENT)

    class Driver(Right):
        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            return attrs.evolve(delta, tokens=(await self.inner.delta(after)).tokens)


class TestReadsTheRevisionLast(Broken):
    breaks = laws(_MOMENT + _FOLLOWED)

    class Driver(Right):
        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            return attrs.evolve(delta, revision=await self.inner.wait_for_change(-1))


class TestStaysLockedByADeltaThatWasCancelled(Broken):
    breaks = laws("test_a_delta_that_is_cancelled_does_no_harm")

    class Driver(Right):
        locked = False

        async def delta(self, after: int = -1) -> Delta:
            assert not self.locked
            self.locked = True
            delta = await self.inner.delta(after)
            self.locked = False
            return delta
