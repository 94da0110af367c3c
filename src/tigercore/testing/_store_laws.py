"""What every law of the store stands on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias
from uuid import UUID

import attrs
import pytest
import trio

from tigercore.errors import StaleVersion
from tigercore.model import KeyRing
from tigercore.ports import AccountStore, Change, TokenRow
from tigercore.testing._contract import Contract

StoreMaker: TypeAlias = Callable[[], AbstractAsyncContextManager[AccountStore]]
Action: TypeAlias = Callable[[], Awaitable[object]]

PROMPT = 3.0
"""Seconds in which a store must have spoken."""


async def require_stale(store: AccountStore, *changes: Change) -> None:
    """Pass if the store refuses a batch of these changes."""
    with pytest.raises(StaleVersion):
        await store.apply(changes)


async def everything(store: AccountStore) -> tuple[object, ...]:
    """Return all that stands in a store; tokens come in no order, so they are sorted."""
    tokens, delta = sorted(await store.token_rows(), key=_id), await store.delta()
    logs = (await store.token_attempts(), await store.audit())
    told = attrs.evolve(delta, tokens=tuple(sorted(delta.tokens, key=_id)))
    return await store.accounts(), tokens, *logs, await store.key_ring(), await store.wait_for_change(-1), told


def _id(row: TokenRow) -> UUID:
    return row.id


async def counted(store: AccountStore) -> tuple[int, int, int, int]:
    """Return how many accounts, tokens and audit lines stand, and the revision."""
    accounts, tokens, lines = await store.accounts(), await store.token_rows(), await store.audit()
    return len(accounts), len(tokens), len(lines), await store.wait_for_change(-1)


async def ring_of(store: AccountStore) -> KeyRing:
    """Return the key ring, which must be there."""
    ring = await store.key_ring()
    assert ring is not None
    return ring


async def read_beside(read: Action, writers: Sequence[Action]) -> None:
    """Read again and again while these write, and once more when all have ended."""
    writing = len(writers)

    async def run(write: Action) -> None:
        nonlocal writing
        await write()
        writing -= 1

    async with trio.open_nursery() as nursery:
        for write in writers:
            nursery.start_soon(run, write)
        while writing:
            await read()
    await read()


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
