"""Account stores that tell removals wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import attrs

from tests.laws._store_base import Altered, Broken, Right, laws
from tigercore.ports import Change, Delta, DriverContext, Put, Remove, TokenRow


class TestTellsNoRemovals(Broken):
    breaks = laws(
        "test_a_delta_tells_which_accounts_were_removed_since "
        "test_an_account_that_came_and_went_since_is_told_as_removed "
        "test_an_account_that_was_removed_again_is_told_as_removed"
    )

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, removed=frozenset())


class TestTellsEveryRemovalAlways(Broken):
    breaks = laws("test_a_delta_leaves_out_what_was_removed_before")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            return attrs.evolve(delta, removed=frozenset(self.tables.removed_at) - self.tables.accounts.keys())


class TestTellsRemovalsOfWhatWasPutAgain(Broken):
    breaks = laws("test_an_account_that_was_put_again_is_told_as_a_row")

    class Driver(Altered):
        def altered(self, delta: Delta, after: int) -> Delta:
            gone = {id for id, revision in self.tables.removed_at.items() if revision > after}
            return attrs.evolve(delta, removed=delta.removed | gone)


class TestTellsTheFirstRemovalOnly(Broken):
    breaks = laws("test_an_account_that_was_removed_again_is_told_as_removed")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.first: dict[UUID, int] = {}

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            for change in changes:
                if isinstance(change, Remove):
                    self.first.setdefault(change.id, revision)
            return revision

        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            return attrs.evolve(delta, removed=frozenset(id for id in delta.removed if self.first[id] > after))


class TestForgetsWhatCameAndWent(Broken):
    breaks = laws("test_an_account_that_came_and_went_since_is_told_as_removed")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.put_at: dict[UUID, int] = {}

        async def apply(self, changes: Sequence[Change]) -> int:
            revision = await self.inner.apply(changes)
            for change in changes:
                if isinstance(change, Put):
                    self.put_at.setdefault(change.row.id, revision)
            return revision

        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            return attrs.evolve(delta, removed=frozenset(id for id in delta.removed if self.put_at[id] <= after))


class TestTellsTokensOfTheDead(Broken):
    breaks = laws("test_a_delta_tells_no_rows_of_a_removed_account")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.dead: list[TokenRow] = []

        async def apply(self, changes: Sequence[Change]) -> int:
            gone = [change.id for change in changes if isinstance(change, Remove)]
            dead = await self.inner.token_rows(gone)
            revision = await self.inner.apply(changes)
            self.dead += dead
            return revision

        async def delta(self, after: int = -1) -> Delta:
            delta = await self.inner.delta(after)
            return attrs.evolve(delta, tokens=(*delta.tokens, *self.dead))
