"""Account stores whose rows come back wrong. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import attrs

from tests.laws._store_base import Broken, Right, changed, laws
from tigercore.model import AccountStatus, KeyRing
from tigercore.ports import AccountRow, AuditLine, Change, Put, Record, TokenAttempt, TokenRow
from tigercore.testing._store_samples import key_ring

# -- what comes back ---------------------------------------------------------------------------------------


class TestInventsAKeyRing(Broken):
    breaks = laws(
        "test_a_new_store_is_empty test_a_stale_change_leaves_nothing_of_its_neighbours "
        "test_a_key_ring_with_two_keys_of_one_version_is_refused "
        "test_a_key_with_two_slots_of_one_provider_is_refused "
        "test_one_stale_row_among_many_of_its_kind_leaves_nothing_of_them "
        "test_a_delta_that_is_cancelled_does_no_harm"
    )

    class Driver(Right):
        async def key_ring(self) -> KeyRing | None:
            return await self.inner.key_ring() or key_ring()


class TestRoundsTimesToTheSecond(Broken):
    breaks = laws(
        "test_an_account_comes_back_as_it_was_one_version_further "
        "test_an_account_with_nothing_optional_comes_back test_a_change_of_an_account_comes_back "
        "test_a_token_comes_back_as_it_was_one_version_further test_a_change_of_a_token_comes_back "
        "test_an_attempt_comes_back_as_it_was test_an_attempt_that_is_recorded_again_is_replaced "
        "test_attempts_come_newest_first test_attempts_come_of_one_account "
        "test_attempts_come_of_several_accounts_in_one_order "
        "test_attempts_come_of_thousands_of_accounts_of_which_most_are_unknown "
        "test_attempts_come_since_a_moment_and_with_it test_attempts_come_up_to_the_limit "
        "test_remove_leaves_attempts_and_audit_lines test_an_audit_entry_comes_back_as_it_was "
        "test_a_record_is_there_for_others_when_apply_returns "
        "test_of_attempts_of_one_moment_the_first_recorded_is_the_older "
        "test_pages_of_attempts_are_of_one_account test_pages_of_attempts_end_at_a_moment_and_with_it "
        "test_attempts_come_of_one_status test_an_attempt_that_is_recorded_again_is_of_its_new_status "
        "test_attempts_of_one_status_come_of_one_account_and_since_a_moment "
        "test_the_limit_counts_attempts_of_the_status_that_was_asked "
        "test_a_page_of_one_status_may_stand_behind_an_attempt_of_another"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            rows = await self.inner.accounts(ids)
            return [changed(row, updated_at=row.account.updated_at.replace(microsecond=0)) for row in rows]

        async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
            rows = await self.inner.token_rows(ids)
            return [attrs.evolve(row, issued_at=row.issued_at and row.issued_at.replace(microsecond=0)) for row in rows]

        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            rows = await self.inner.token_attempts(*args, **kwargs)
            return [attrs.evolve(row, started_at=row.started_at.replace(microsecond=0)) for row in rows]

        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            lines = await self.inner.audit(after=after, limit=limit)
            return [AuditLine(x.number, attrs.evolve(x.entry, at=x.entry.at.replace(microsecond=0))) for x in lines]


class TestTellsNothingFromEmpty(Broken):
    breaks = laws(
        "test_an_account_with_nothing_optional_comes_back test_a_bare_token_comes_back test_a_claim_is_what_stands "
        "test_a_token_with_nothing_sealed_is_never_below_the_floor"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            rows = await self.inner.accounts(ids)
            return [changed(row, server_url=row.account.server_url or "") for row in rows]

        async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
            return [attrs.evolve(row, sealed=row.sealed or b"") for row in await self.inner.token_rows(ids)]


class TestKeepsWhatWasWrittenFirst(Broken):
    breaks = laws(
        "test_a_change_of_an_account_comes_back test_a_change_of_a_token_comes_back "
        "test_a_change_of_the_key_ring_comes_back test_an_attempt_that_is_recorded_again_is_replaced "
        "test_slots_come_in_the_order_in_which_they_were_put test_a_token_below_the_floor_is_stale "
        "test_an_attempt_that_is_recorded_again_is_of_its_new_status "
        "test_statistics_count_an_attempt_once_as_it_stands"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            first = {row.id: row for row in await self.inner.token_attempts()}
            ring = await self.inner.key_ring()
            return await self.inner.apply([self._first(change, first, ring) for change in changes])

        def _first(self, change: Change, attempts: dict[UUID, TokenAttempt], ring: KeyRing | None) -> Change:
            match change:
                case Put(row=AccountRow() as account) if account.version:
                    return Put(attrs.evolve(account, sealed=b"\x00sealed\xff"))
                case Put(row=TokenRow() as token) if token.version:
                    return Put(attrs.evolve(token, sealed=None))
                case Put(row=KeyRing() as new) if new.version and ring:
                    return Put(attrs.evolve(new, keys=ring.keys))
                case Record(entry=TokenAttempt() as attempt):
                    return Record(attempts.get(attempt.id, attempt))
            return change


class TestKnowsTheStatusesOfOldOnly(Broken):
    breaks = laws("test_an_account_comes_back_in_every_status")

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            return [self._known(row) for row in await self.inner.accounts(ids)]

        def _known(self, row: AccountRow) -> AccountRow:
            compromised = row.account.status is AccountStatus.COMPROMISED
            return changed(row, status=AccountStatus.SUSPENDED) if compromised else row


# -- which rows come ---------------------------------------------------------------------------------------


class TestGivesTheLastChangedAccountFirst(Broken):
    breaks = laws(
        "test_accounts_come_in_the_order_of_their_creation test_accounts_that_were_named_come_without_the_others "
        "test_a_default_moves_within_one_batch test_who_follows_the_deltas_misses_nothing"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            return (await self.inner.accounts(ids))[::-1]


class TestGivesEveryRowWhateverWasNamed(Broken):
    breaks = laws(
        "test_accounts_that_were_named_come_without_the_others test_tokens_that_were_named_come_without_the_others"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            return await self.inner.accounts(None)

        async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
            return await self.inner.token_rows(None)


class TestStumblesOverUnknownIds(Broken):
    breaks = laws("test_ids_that_nobody_knows_are_left_out")

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            found = await self.inner.accounts(ids)
            if ids is not None and len(found) < len(ids):
                raise KeyError("unknown id")
            return found
