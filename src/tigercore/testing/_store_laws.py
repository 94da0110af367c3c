"""What every law of the store stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

from tigercore.errors import StaleVersion
from tigercore.model import KeyRing
from tigercore.ports import AccountStore, Change
from tigercore.testing._contract import Contract

StoreMaker: TypeAlias = Callable[[], AbstractAsyncContextManager[AccountStore]]


async def require_stale(store: AccountStore, *changes: Change) -> None:
    """Pass if the store refuses a batch of these changes."""
    with pytest.raises(StaleVersion):
        await store.apply(changes)


async def everything(store: AccountStore) -> tuple[object, ...]:
    """Return all that stands in a store."""
    rows = (await store.accounts(), await store.token_rows(), await store.token_attempts(), await store.audit())
    return *rows, await store.key_ring(), await store.wait_for_change(-1)


async def ring_of(store: AccountStore) -> KeyRing:
    """Return the key ring, which must be there."""
    ring = await store.key_ring()
    assert ring is not None
    return ring


class StoreLaws(Contract):
    """The fixtures. Override `store_maker` and `break_backend`."""

    @pytest.fixture
    def store_maker(self) -> StoreMaker:
        """Return what opens a store; within a test every call opens the same backend, which is new and migrated."""
        raise NotImplementedError("override the fixture store_maker")

    @pytest.fixture
    def break_backend(self) -> Callable[[], None]:
        """Return what makes the backend of this test unreachable for stores that are open."""
        raise NotImplementedError("override the fixture break_backend")

    @pytest.fixture
    async def store(self, store_maker: StoreMaker) -> AsyncIterator[AccountStore]:
        """Open the store for the time of a law."""
        async with store_maker() as opened:
            yield opened
