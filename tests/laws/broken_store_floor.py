"""Account stores that let sealed rows fall below the floor, or hold up what is above it.

Each breaks the laws that it names, and keeps all others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar
from uuid import UUID

import attrs

from tests.laws._store_base import Broken, Right, laws
from tigercore.errors import StaleVersion
from tigercore.model import KeyRing
from tigercore.ports import AccountRow, AccountStore, Change, Delta, Put, TokenRow

R = TypeVar("R", AccountRow, TokenRow)

_LIFT = 2**50

_ROWS = (
    "test_an_account_below_the_floor_is_stale test_a_token_below_the_floor_is_stale "
    "test_a_row_below_the_floor_leaves_nothing_of_its_neighbours "
    "test_a_batch_is_held_to_the_floor_that_it_has_raised "
)
_RINGS = (
    "test_a_floor_above_an_account_that_stands_is_stale test_a_floor_above_a_token_that_stands_is_stale "
    "test_a_first_ring_whose_floor_is_above_what_stands_is_stale "
)
_WRITERS = "test_the_floor_holds_against_writers_that_have_not_noticed "


def sealed_in(changes: Sequence[Change]) -> list[AccountRow | TokenRow]:
    """Return the rows in which something sealed is put."""
    rows = [change.row for change in changes if isinstance(change, Put)]
    return [row for row in rows if not isinstance(row, KeyRing) and row.sealed is not None]


async def require_rows(store: AccountStore, changes: Sequence[Change]) -> None:
    """Hold the rows of a batch to the floor that stood before it."""
    ring = await store.key_ring()
    if ring and any(row.kek < ring.min_decrypt for row in sealed_in(changes)):
        raise StaleVersion("below the floor")


async def require_standing(store: AccountStore, changes: Sequence[Change]) -> None:
    """Hold what stood before a batch to the floor in it."""
    keks = [row.kek for row in await store.accounts()]
    keks += [row.kek for row in await store.token_rows() if row.sealed is not None]
    floors = [put.row.min_decrypt for put in changes if isinstance(put, Put) and isinstance(put.row, KeyRing)]
    if any(kek < floor for kek in keks for floor in floors):
        raise StaleVersion("above what stands")


class NoFloor(Right):
    """Keep every row far above any floor, and tell of it as it was given."""

    async def apply(self, changes: Sequence[Change]) -> int:
        return await self.inner.apply([self._lifted(change) for change in changes])

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        return [_moved(row, -_LIFT) for row in await self.inner.accounts(ids)]

    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        return [_moved(row, -_LIFT) for row in await self.inner.token_rows(ids)]

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        return [_moved(row, -_LIFT) for row in await self.inner.claim_due_tokens(owner, lease, limit)]

    async def delta(self, after: int = -1) -> Delta:
        delta = await self.inner.delta(after)
        accounts = tuple(_moved(row, -_LIFT) for row in delta.accounts)
        return attrs.evolve(delta, accounts=accounts, tokens=tuple(_moved(row, -_LIFT) for row in delta.tokens))

    def _lifted(self, change: Change) -> Change:
        match change:
            case Put(row=AccountRow() as account):
                return Put(_moved(account, _LIFT))
            case Put(row=TokenRow() as token):
                return Put(_moved(token, _LIFT))
        return change


def _moved(row: R, by: int) -> R:
    return attrs.evolve(row, kek=row.kek + by)


class TestKnowsNoFloor(Broken):
    breaks = laws(_ROWS + _RINGS + _WRITERS)
    Driver = NoFloor


class TestHoldsOnlyWhatIsPut(Broken):
    breaks = laws(
        _RINGS + _WRITERS + "test_a_batch_is_held_to_the_floor_that_it_has_raised "
        "test_a_batch_is_held_to_the_floor_that_it_has_lowered"
    )

    class Driver(NoFloor):
        async def apply(self, changes: Sequence[Change]) -> int:
            await require_rows(self, changes)
            return await super().apply(changes)


class TestHoldsOnlyWhatStands(Broken):
    breaks = laws(_ROWS + _WRITERS + "test_the_floor_rises_once_nothing_is_below")

    class Driver(NoFloor):
        async def apply(self, changes: Sequence[Change]) -> int:
            await require_standing(self, changes)
            return await super().apply(changes)


class TestHoldsTheRingToWhatStoodBefore(Broken):
    breaks = laws(_WRITERS + "test_the_floor_rises_once_nothing_is_below")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            await require_standing(self, changes)
            return await self.inner.apply(changes)


class TestHoldsNothingSealedToTheFloor(Broken):
    breaks = laws("test_a_token_with_nothing_sealed_is_never_below_the_floor")

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            ring = await self.inner.key_ring()
            tokens = [change.row for change in changes if isinstance(change, Put) and isinstance(change.row, TokenRow)]
            if ring and any(row.kek < ring.min_decrypt for row in tokens):
                raise StaleVersion("below the floor")
            return await self.inner.apply(changes)


class TestRefusesTheFloorItself(Broken):
    breaks = laws(
        "test_what_is_sealed_at_the_floor_or_above_is_taken test_a_token_below_the_floor_is_stale "
        "test_a_batch_is_held_to_the_floor_that_it_has_lowered"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            ring = await self.inner.key_ring()
            if ring and any(row.kek <= ring.min_decrypt for row in sealed_in(changes)):
                raise StaleVersion("below the floor")
            return await self.inner.apply(changes)


class TestLeavesOutWhatIsBelow(Broken):
    breaks = laws(
        "test_an_account_below_the_floor_is_stale test_a_token_below_the_floor_is_stale "
        "test_a_row_below_the_floor_leaves_nothing_of_its_neighbours "
        "test_the_floor_holds_against_writers_that_have_not_noticed "
        "test_a_batch_is_held_to_the_floor_that_it_has_lowered"
    )

    class Driver(Right):
        async def apply(self, changes: Sequence[Change]) -> int:
            ring = await self.inner.key_ring()
            floor = ring.min_decrypt if ring else 0
            above = [change for change in changes if all(row.kek >= floor for row in sealed_in([change]))]
            return await self.inner.apply(above)
