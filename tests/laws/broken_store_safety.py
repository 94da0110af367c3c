"""Account stores that lose or show what they were given. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from uuid import UUID

import attrs
import trio

from tests.laws._store_base import Broken, Right, changed, laws
from tigercore.errors import StaleVersion, StoreUnavailable
from tigercore.ports import AccountRow, AuditLine, Change, Delta, DriverContext, Put
from tigercore.testing.store import MemoryOptions

# -- when things go wrong ----------------------------------------------------------------------------------


class TestForgetsWhenItCloses(Broken):
    breaks = laws(
        "test_what_was_written_survives_reopening test_a_write_through_another_handle_wakes_who_waits "
        "test_at_rest_lie_the_sealed_bytes_as_they_were_given "
        "test_every_method_says_that_the_backend_is_gone test_no_error_shows_what_was_given "
        "test_a_delta_is_of_one_moment test_a_record_is_there_for_others_when_apply_returns "
        "test_concurrent_records_of_one_task_come_in_its_order "
        "test_of_many_concurrent_records_each_is_there_once test_a_claim_wakes_who_waits"
    )

    class Driver(Right):
        @classmethod
        @asynccontextmanager
        async def open(cls, options: Any, context: DriverContext) -> AsyncIterator[Self]:
            yield cls(MemoryOptions(), context)


class TestWritesAfterItWasCancelled(Broken):
    breaks = laws(
        "test_a_batch_that_was_cancelled_before_it_began_writes_nothing "
        "test_a_batch_that_is_cancelled_is_there_as_a_whole_or_not_at_all "
        "test_records_that_are_cancelled_are_there_as_a_whole_or_not_at_all "
        "test_records_that_are_cancelled_take_no_neighbour_with_them"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            with trio.CancelScope(shield=True):
                revision = await self.inner.apply(changes)
            await trio.lowlevel.checkpoint()
            return revision


class TestAnswersFromNothingWhenTheBackendIsGone(Broken):
    breaks = laws("test_every_method_says_that_the_backend_is_gone")

    class Driver(Right):
        async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
            try:
                return await self.inner.audit(after=after, limit=limit)
            except StoreUnavailable:
                return []


# -- what was given ----------------------------------------------------------------------------------------


class TestTrimsWhatItCannotHold(Broken):
    breaks = laws("test_a_value_is_held_as_it_is_or_refused")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([self._trimmed(change) for change in changes])

        def _trimmed(self, change: Change) -> Change:
            if isinstance(change, Put) and isinstance(change.row, AccountRow):
                return Put(changed(change.row, error_count=min(change.row.account.error_count, 2**63 - 1)))
            return change


class TestRewritesWhatWasSealed(Broken):
    breaks = laws("test_at_rest_lie_the_sealed_bytes_as_they_were_given")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            return await self.inner.apply([self._encoded(change) for change in changes])

        async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
            rows = await self.inner.accounts(ids)
            return [attrs.evolve(row, sealed=base64.b64decode(row.sealed)) for row in rows]

        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            decoded = (attrs.evolve(row, sealed=base64.b64decode(row.sealed)) for row in delta.accounts)
            return attrs.evolve(delta, accounts=tuple(decoded))

        def _encoded(self, change: Change) -> Change:
            if isinstance(change, Put) and isinstance(change.row, AccountRow):
                return Put(attrs.evolve(change.row, sealed=base64.b64encode(change.row.sealed)))
            return change


class TestLogsItsParameters(Broken):
    breaks = laws("test_no_log_shows_what_was_given")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            logging.getLogger("broken").debug("apply %r", changes)
            return await self.inner.apply(changes)


class TestShowsTheBatchInItsErrors(Broken):
    breaks = laws("test_no_error_shows_what_was_given")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            try:
                return await self.inner.apply(changes)
            except StaleVersion:
                raise StaleVersion(f"cannot apply {changes}") from None
