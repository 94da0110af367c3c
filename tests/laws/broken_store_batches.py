"""Account stores that write a batch wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import trio

from tests.laws._store_base import Broken, Right, changed, laws
from tigercore.errors import StaleVersion
from tigercore.ports import AccountRow, Change, Put, Remove

_EVERY_STALENESS = (
    "test_there_is_one_key_ring test_a_token_needs_its_account test_a_new_account_that_is_there_is_stale "
    "test_a_new_token_that_is_there_is_stale test_an_account_that_was_written_since_is_stale "
    "test_a_token_that_was_written_since_is_stale test_a_key_ring_that_was_written_since_is_stale "
    "test_an_account_that_is_gone_is_stale test_a_stale_change_leaves_nothing_of_its_neighbours "
    "test_an_account_number_is_unique test_one_account_is_the_default_for_trading "
    "test_one_account_is_the_default_for_data test_remove_at_a_version_that_has_passed_is_stale "
    "test_remove_of_an_account_that_is_gone_is_stale test_of_twenty_concurrent_writers_one_wins "
    "test_no_log_shows_what_was_given test_no_error_shows_what_was_given "
    "test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them "
    "test_an_account_below_the_floor_is_stale test_a_token_below_the_floor_is_stale "
    "test_a_row_below_the_floor_leaves_nothing_of_its_neighbours "
    "test_a_floor_above_an_account_that_stands_is_stale test_a_floor_above_a_token_that_stands_is_stale "
    "test_a_first_ring_whose_floor_is_above_what_stands_is_stale "
    "test_a_batch_is_held_to_the_floor_that_it_has_raised "
    "test_the_floor_holds_against_writers_that_have_not_noticed "
)


class TestIsSilentAboutStaleness(Broken):
    breaks = laws(_EVERY_STALENESS)

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            try:
                return await self.inner.apply(changes)
            except StaleVersion:
                return await self.inner.wait_for_change(-1)


class TestLetsTheLastWriterWin(Broken):
    breaks = laws(
        "test_an_account_that_was_written_since_is_stale test_of_twenty_concurrent_writers_one_wins "
        "test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            for _ in range(25):
                stands = {row.id: row.version for row in await self.inner.accounts()}
                with suppress(StaleVersion):
                    return await self.inner.apply([self._fitted(change, stands) for change in changes])
            raise StaleVersion("it cannot be written whatever is read")

        def _fitted(self, change: Change, stands: dict[UUID, int]) -> Change:
            if isinstance(change, Put) and isinstance(change.row, AccountRow) and change.row.version:
                return Put(changed(change.row, version=stands.get(change.row.id, change.row.version)))
            return change


class TestWritesByHalves(Broken):
    breaks = laws(
        "test_a_stale_change_leaves_nothing_of_its_neighbours "
        "test_a_key_ring_with_two_keys_of_one_version_is_refused "
        "test_a_key_with_two_slots_of_one_provider_is_refused "
        "test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them "
        "test_a_row_below_the_floor_leaves_nothing_of_its_neighbours "
        "test_a_floor_above_an_account_that_stands_is_stale test_a_batch_is_held_to_the_floor_that_it_has_raised "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all "
        "test_a_delta_behind_the_last_batch_tells_no_rows test_a_delta_from_the_start_tells_everything "
        "test_a_delta_is_of_one_moment test_the_revision_grows_by_one_with_every_batch_of_rows "
        "test_records_that_are_cancelled_are_there_as_a_whole_or_not_at_all"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.wait_for_change(-1)
            for change in changes:
                await trio.lowlevel.checkpoint()
                revision = await self.inner.apply([change])
            return revision


class TestLeavesOutTheStaleOfMany(Broken):
    breaks = laws("test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            rows = [change.row for change in changes if isinstance(change, Put)]
            stands = {("AccountRow", row.id, row.version) for row in await self.inner.accounts()}
            stands |= {("TokenRow", row.id, row.version) for row in await self.inner.token_rows()}
            fresh = [row for row in rows if (type(row).__name__, row.id, row.version) in stands]
            many = len({type(row) for row in rows}) == 1 and len(rows) == len(changes) == 3
            return await self.inner.apply([Put(row) for row in fresh] if many and fresh else changes)


class TestRefusesToMoveADefault(Broken):
    breaks = laws("test_a_default_moves_within_one_batch")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            puts = [change.row for change in changes if isinstance(change, Put) and isinstance(change.row, AccountRow)]
            old = {row.id for row in await self.inner.accounts() if row.account.is_default_trading}
            if any(row.account.is_default_trading and {row.id} != old for row in puts) and old:
                raise StaleVersion("there is another default")
            return await self.inner.apply(changes)


class TestRemovesNothing(Broken):
    breaks = laws(
        "test_remove_takes_the_account_and_its_token test_an_account_that_is_gone_is_stale "
        "test_remove_at_a_version_that_has_passed_is_stale test_remove_of_an_account_that_is_gone_is_stale "
        "test_a_delta_tells_no_rows_of_a_removed_account test_a_delta_tells_which_accounts_were_removed_since "
        "test_an_account_that_came_and_went_since_is_told_as_removed "
        "test_an_account_that_was_put_again_is_told_as_a_row "
        "test_an_account_that_was_removed_again_is_told_as_removed "
        "test_the_revision_grows_by_one_with_every_batch_of_rows"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([change for change in changes if not isinstance(change, Remove)])
