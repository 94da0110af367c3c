"""What every law of the store stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

from tigercore.ports import AccountStore
from tigercore.testing._contract import Contract

StoreMaker: TypeAlias = Callable[[], AbstractAsyncContextManager[AccountStore]]


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
