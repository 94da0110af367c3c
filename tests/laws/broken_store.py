"""Account stores that are wrong on purpose. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

import attrs
import pytest
import trio

from tigercore.errors import StaleVersion, StoreUnavailable
from tigercore.model import KeyRing, TokenState
from tigercore.ports import (
    AccountRow,
    AccountStore,
    AuditLine,
    Change,
    DriverContext,
    Put,
    Record,
    Remove,
    Schema,
    TokenAttempt,
    TokenRow,
)
from tigercore.testing._store_samples import key_ring
from tigercore.testing.clock import ManualClock, driver_context
from tigercore.testing.store import DurableStoreContract, MemoryAccountStore, MemoryBackend, MemoryOptions, StoreMaker


def _laws(names: str) -> frozenset[str]:
    return frozenset(names.split())


class Right(AccountStore):
    """All of a memory store, to be broken in one place."""

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self.inner = MemoryAccountStore(options, context)

    @classmethod
    def schema(cls, options: Any) -> Schema:
        return MemoryAccountStore.schema(options)

    async def apply(self, changes: Sequence[Change]) -> int:
        return await self.inner.apply(changes)

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        return await self.inner.accounts(ids)

    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        return await self.inner.token_rows(ids)

    async def token_attempts(
        self, account_id: UUID | None = None, *, since: datetime | None = None, limit: int = 1000
    ) -> list[TokenAttempt]:
        return await self.inner.token_attempts(account_id, since=since, limit=limit)

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        return await self.inner.claim_due_tokens(owner, lease, limit)

    async def key_ring(self) -> KeyRing | None:
        return await self.inner.key_ring()

    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        return await self.inner.audit(after=after, limit=limit)

    async def wait_for_change(self, after: int) -> int:
        return await self.inner.wait_for_change(after)


class Broken(DurableStoreContract):
    breaks: ClassVar[frozenset[str]]
    Driver: ClassVar[type[Right]]

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()

    @pytest.fixture
    def store_maker(self, backend: MemoryBackend) -> StoreMaker:
        return lambda: self.Driver.open(MemoryOptions(backend), driver_context())

    @pytest.fixture
    def break_backend(self, backend: MemoryBackend) -> Callable[[], None]:
        return lambda: setattr(backend, "broken", True)

    @pytest.fixture
    def raw_bytes(self, backend: MemoryBackend) -> Callable[[], bytes]:
        def read() -> bytes:
            rows = [*backend.tables.accounts.values(), *backend.tables.tokens.values()]
            return b"".join(row.sealed or b"" for row in rows)

        return read


def _account(row: AccountRow, **fields: Any) -> AccountRow:
    return attrs.evolve(row, account=attrs.evolve(row.account, **fields))


# -- what comes back ---------------------------------------------------------------------------------------


class TestInventsAKeyRing(Broken):
    breaks = _laws(
        "test_a_new_store_is_empty test_a_stale_change_leaves_nothing_of_its_neighbours "
        "test_a_key_ring_with_two_keys_of_one_version_is_refused"
    )

    class Driver(Right):
        async def key_ring(self) -> KeyRing | None:
            return await self.inner.key_ring() or key_ring()


class TestRoundsTimesToTheSecond(Broken):
    breaks = _laws(
        "test_an_account_comes_back_as_it_was_one_version_further test_an_account_with_nothing_optional_comes_back "
        "test_a_change_of_an_account_comes_back test_a_token_comes_back_as_it_was_one_version_further "
        "test_a_change_of_a_token_comes_back test_an_attempt_comes_back_as_it_was "
        "test_an_attempt_that_is_recorded_again_is_replaced test_attempts_come_newest_first "
        "test_attempts_come_of_one_account test_attempts_come_since_a_moment_and_with_it "
        "test_attempts_come_up_to_the_limit test_remove_leaves_attempts_and_audit_lines "
        "test_an_audit_entry_comes_back_as_it_was"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            rows = await self.inner.accounts(ids)
            return [_account(row, updated_at=row.account.updated_at.replace(microsecond=0)) for row in rows]

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
    breaks = _laws(
        "test_an_account_with_nothing_optional_comes_back test_a_bare_token_comes_back test_a_claim_is_what_stands"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            rows = await self.inner.accounts(ids)
            return [_account(row, server_url=row.account.server_url or "") for row in rows]

        async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
            return [attrs.evolve(row, sealed=row.sealed or b"") for row in await self.inner.token_rows(ids)]


class TestKeepsWhatWasWrittenFirst(Broken):
    breaks = _laws(
        "test_a_change_of_an_account_comes_back test_a_change_of_a_token_comes_back "
        "test_a_change_of_the_key_ring_comes_back test_an_attempt_that_is_recorded_again_is_replaced"
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


class TestKeepsTheActiveKeyOnly(Broken):
    breaks = _laws("test_a_key_ring_comes_back_as_it_was_one_version_further test_a_change_of_the_key_ring_comes_back")

    class Driver(Right):
        async def key_ring(self) -> KeyRing | None:
            ring = await self.inner.key_ring()
            return ring and attrs.evolve(ring, keys=tuple(key for key in ring.keys if key.version == ring.active))


class TestLosesDetails(Broken):
    breaks = _laws("test_an_attempt_comes_back_as_it_was test_an_attempt_that_is_recorded_again_is_replaced")

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return [attrs.evolve(row, detail="") for row in await self.inner.token_attempts(*args, **kwargs)]


# -- batches -----------------------------------------------------------------------------------------------

_EVERY_STALENESS = (
    "test_there_is_one_key_ring test_a_token_needs_its_account test_a_new_account_that_is_there_is_stale "
    "test_a_new_token_that_is_there_is_stale test_an_account_that_was_written_since_is_stale "
    "test_a_token_that_was_written_since_is_stale test_a_key_ring_that_was_written_since_is_stale "
    "test_an_account_that_is_gone_is_stale test_a_stale_change_leaves_nothing_of_its_neighbours "
    "test_an_account_number_is_unique test_one_account_is_the_default_for_trading "
    "test_one_account_is_the_default_for_data test_remove_at_a_version_that_has_passed_is_stale "
    "test_remove_of_an_account_that_is_gone_is_stale test_of_twenty_concurrent_writers_one_wins "
    "test_no_log_shows_what_was_given test_no_error_shows_what_was_given "
)


class TestIsSilentAboutStaleness(Broken):
    breaks = _laws(_EVERY_STALENESS)

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            try:
                return await self.inner.apply(changes)
            except StaleVersion:
                return await self.inner.wait_for_change(-1)


class TestLetsTheLastWriterWin(Broken):
    breaks = _laws("test_an_account_that_was_written_since_is_stale test_of_twenty_concurrent_writers_one_wins")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            for _ in range(25):
                stands = {row.id: row.version for row in await self.inner.accounts()}
                with suppress(StaleVersion):
                    return await self.inner.apply([self._fitted(change, stands) for change in changes])
            raise StaleVersion("it cannot be written whatever is read")

        def _fitted(self, change: Change, stands: dict[UUID, int]) -> Change:
            if isinstance(change, Put) and isinstance(change.row, AccountRow) and change.row.version:
                return Put(_account(change.row, version=stands.get(change.row.id, change.row.version)))
            return change


class TestWritesByHalves(Broken):
    breaks = _laws(
        "test_a_stale_change_leaves_nothing_of_its_neighbours "
        "test_a_key_ring_with_two_keys_of_one_version_is_refused "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return [await self.inner.apply([change]) for change in changes][-1]


class TestRefusesToMoveADefault(Broken):
    breaks = _laws("test_a_default_moves_within_one_batch")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            puts = [change.row for change in changes if isinstance(change, Put) and isinstance(change.row, AccountRow)]
            old = {row.id for row in await self.inner.accounts() if row.account.is_default_trading}
            if any(row.account.is_default_trading and {row.id} != old for row in puts) and old:
                raise StaleVersion("there is another default")
            return await self.inner.apply(changes)


class TestCountsNoRevisionForALogLine(Broken):
    breaks = _laws("test_the_revision_grows_with_every_batch")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            return revision if any(isinstance(change, Put) for change in changes) else revision - 1


class TestRemovesNothing(Broken):
    breaks = _laws(
        "test_remove_takes_the_account_and_its_token test_an_account_that_is_gone_is_stale "
        "test_remove_at_a_version_that_has_passed_is_stale test_remove_of_an_account_that_is_gone_is_stale"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([change for change in changes if not isinstance(change, Remove)])


class TestRemovesTheLogsToo(Broken):
    breaks = _laws("test_remove_leaves_attempts_and_audit_lines")

    class Driver(Right):
        removed = False

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            self.removed = any(isinstance(change, Remove) for change in changes)
            return revision

        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            found = await self.inner.token_attempts(*args, **kwargs)
            return [] if self.removed else found


class TestTakesTheLastOfTwoKeys(Broken):
    breaks = _laws("test_a_key_ring_with_two_keys_of_one_version_is_refused")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([self._distinct(change) for change in changes])

        def _distinct(self, change: Change) -> Change:
            if isinstance(change, Put) and isinstance(change.row, KeyRing):
                return Put(attrs.evolve(change.row, keys=tuple({key.version: key for key in change.row.keys}.values())))
            return change


# -- which rows come ---------------------------------------------------------------------------------------


class TestGivesTheLastChangedAccountFirst(Broken):
    breaks = _laws(
        "test_accounts_come_in_the_order_of_their_creation test_accounts_that_were_named_come_without_the_others "
        "test_a_default_moves_within_one_batch"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            return (await self.inner.accounts(ids))[::-1]


class TestGivesEveryRowWhateverWasNamed(Broken):
    breaks = _laws(
        "test_accounts_that_were_named_come_without_the_others test_tokens_that_were_named_come_without_the_others"
    )

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            return await self.inner.accounts(None)

        async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
            return await self.inner.token_rows(None)


class TestStumblesOverUnknownIds(Broken):
    breaks = _laws("test_ids_that_nobody_knows_are_left_out")

    class Driver(Right):
        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            found = await self.inner.accounts(ids)
            if ids is not None and len(found) < len(ids):
                raise KeyError("unknown id")
            return found


class TestTellsEveryAttemptOldestFirst(Broken):
    breaks = _laws(
        "test_attempts_come_newest_first test_attempts_come_of_one_account "
        "test_attempts_come_since_a_moment_and_with_it test_attempts_come_up_to_the_limit"
    )

    class Driver(Right):
        async def token_attempts(self, *args: Any, **kwargs: Any) -> list[TokenAttempt]:
            return (await self.inner.token_attempts())[::-1]


class TestTellsTheLastAuditLinesFirst(Broken):
    breaks = _laws("test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages")

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            return (await self.inner.audit(after=after, limit=limit))[::-1]


class TestGivesAuditNumbersTwice(Broken):
    breaks = _laws("test_audit_lines_are_numbered_in_their_order test_audit_lines_come_by_pages")

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            lines = await self.inner.audit(after=after, limit=limit)
            return [AuditLine((line.number + 1) // 2, line.entry) for line in lines]


# -- claims ------------------------------------------------------------------------------------------------


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
    breaks = _laws(
        "test_no_token_is_claimed_twice test_a_claim_takes_the_soonest_expiry_first "
        "test_a_claim_leaves_the_revision_as_it_is"
    )
    Driver = OwnClaim


class TestClaimsWhatIsNotDue(Broken):
    breaks = _laws("test_a_claim_takes_what_is_due_and_no_more")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            late = ManualClock()
            late.advance(100 * 366 * 86400.0)
            return await MemoryAccountStore(self.options, driver_context(late)).claim_due_tokens(owner, lease, limit)


class TestClaimsInAnyState(Broken):
    breaks = _laws(
        "test_a_claim_takes_valid_tokens_only test_a_claim_takes_the_soonest_expiry_first "
        "test_no_token_is_claimed_twice test_a_claim_leaves_the_revision_as_it_is"
    )

    class Driver(OwnClaim):
        def wanted(self, rows: list[TokenRow]) -> list[TokenRow]:
            return super().wanted([attrs.evolve(row, state=TokenState.VALID) for row in rows])


class TestClaimsWithoutLimit(Broken):
    breaks = _laws("test_a_claim_takes_up_to_the_limit test_a_claim_takes_the_soonest_expiry_first")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            return await self.inner.claim_due_tokens(owner, lease, 1000)


class TestClaimsWithoutWriting(Broken):
    breaks = _laws(
        "test_a_claim_is_what_stands test_no_token_is_claimed_twice test_a_claim_takes_the_soonest_expiry_first"
    )

    class Driver(OwnClaim):
        async def write(self, marked: list[TokenRow]) -> list[TokenRow]:
            return [attrs.evolve(row, version=row.version + 1) for row in marked]


class TestReturnsClaimsAsTheyStoodBefore(Broken):
    breaks = _laws("test_a_claim_marks_the_token_and_counts_its_version test_a_claim_is_what_stands")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            claimed = await self.inner.claim_due_tokens(owner, lease, limit)
            return [attrs.evolve(row, state=TokenState.VALID, version=row.version - 1) for row in claimed]


class TestTellsOthersOfClaims(Broken):
    breaks = _laws("test_a_claim_leaves_the_revision_as_it_is")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            claimed = await self.inner.claim_due_tokens(owner, lease, limit)
            await self.inner.apply([])
            return claimed


class TestLeasesByTheMinute(Broken):
    breaks = _laws("test_a_lease_lasts_as_long_as_was_asked")

    class Driver(Right):
        async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
            return await self.inner.claim_due_tokens(owner, lease * 60, limit)


# -- the feed ----------------------------------------------------------------------------------------------


class TestSpeaksWithoutAChange(Broken):
    breaks = _laws(
        "test_a_feed_is_silent_while_nobody_writes test_a_write_wakes_who_waits "
        "test_a_write_through_another_handle_wakes_who_waits"
    )

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            return await self.inner.wait_for_change(-1)


class TestHearsItsOwnWritesOnly(Broken):
    breaks = _laws("test_a_write_through_another_handle_wakes_who_waits")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.wrote = trio.Event()

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            self.wrote.set()
            return revision

        async def wait_for_change(self, after: int) -> int:
            if after == await self.inner.wait_for_change(-1):
                await self.wrote.wait()
            return await self.inner.wait_for_change(after)


class TestWaitsForTheNextWriteAlways(Broken):
    breaks = _laws("test_a_change_that_was_there_is_not_waited_for")

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            return await self.inner.wait_for_change(
                max(after, await self.inner.wait_for_change(-1)) if after >= 0 else -1
            )


class TestKnowsNoMinusOne(Broken):
    breaks = _laws(
        "test_waiting_for_a_change_after_minus_one_returns_at_once test_a_new_store_is_empty "
        "test_a_claim_leaves_the_revision_as_it_is "
        "test_a_stale_change_leaves_nothing_of_its_neighbours test_the_revision_grows_with_every_batch "
        "test_what_was_written_survives_reopening test_a_batch_that_was_cancelled_before_it_began_writes_nothing "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all"
    )

    class Driver(Right):
        async def wait_for_change(self, after: int) -> int:
            if after < 0:
                raise ValueError("a revision is not negative")
            return await self.inner.wait_for_change(after)


# -- when things go wrong ----------------------------------------------------------------------------------


class TestForgetsWhenItCloses(Broken):
    breaks = _laws(
        "test_what_was_written_survives_reopening test_a_write_through_another_handle_wakes_who_waits "
        "test_at_rest_lie_the_sealed_bytes_as_they_were_given test_every_method_says_that_the_backend_is_gone "
        "test_no_error_shows_what_was_given"
    )

    class Driver(Right):
        @classmethod
        @asynccontextmanager
        async def open(cls, options: Any, context: DriverContext) -> AsyncIterator[Self]:
            yield cls(MemoryOptions(), context)


class TestWritesAfterItWasCancelled(Broken):
    breaks = _laws(
        "test_a_batch_that_was_cancelled_before_it_began_writes_nothing "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            with trio.CancelScope(shield=True):
                revision = await self.inner.apply(changes)
            await trio.lowlevel.checkpoint()
            return revision


class TestAnswersFromNothingWhenTheBackendIsGone(Broken):
    breaks = _laws("test_every_method_says_that_the_backend_is_gone")

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            try:
                return await self.inner.audit(after=after, limit=limit)
            except StoreUnavailable:
                return []


class TestTrimsWhatItCannotHold(Broken):
    breaks = _laws("test_a_value_is_held_as_it_is_or_refused")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([self._trimmed(change) for change in changes])

        def _trimmed(self, change: Change) -> Change:
            if isinstance(change, Put) and isinstance(change.row, AccountRow):
                return Put(_account(change.row, error_count=min(change.row.account.error_count, 2**63 - 1)))
            return change


class TestRewritesWhatWasSealed(Broken):
    breaks = _laws("test_at_rest_lie_the_sealed_bytes_as_they_were_given")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([self._encoded(change) for change in changes])

        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            rows = await self.inner.accounts(ids)
            return [attrs.evolve(row, sealed=base64.b64decode(row.sealed)) for row in rows]

        def _encoded(self, change: Change) -> Change:
            if isinstance(change, Put) and isinstance(change.row, AccountRow):
                return Put(attrs.evolve(change.row, sealed=base64.b64encode(change.row.sealed)))
            return change


class TestLogsItsParameters(Broken):
    breaks = _laws("test_no_log_shows_what_was_given")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            logging.getLogger("broken").debug("apply %r", changes)
            return await self.inner.apply(changes)


class TestShowsTheBatchInItsErrors(Broken):
    breaks = _laws("test_no_error_shows_what_was_given")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            try:
                return await self.inner.apply(changes)
            except StaleVersion:
                raise StaleVersion(f"cannot apply {changes}") from None
