"""The accounts in memory: nothing that was read earlier replaces what was written later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio

from tests.conftest import World, add
from tigercore import AccountStatus, Tigercore
from tigercore._snapshot import Snapshot
from tigercore.ports import AccountRow, Put
from tigercore.testing._memory_store import MemoryAccountStore


class SlowReads:
    """A store during whose reads something happens, after the rows were taken and before they are handed over."""

    def __init__(self, store: MemoryAccountStore, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._store = store
        self._meanwhile = meanwhile

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        rows = await self._store.accounts(ids)
        await self._meanwhile()
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def snapshot_of(tiger: Tigercore) -> Snapshot:
    return tiger.router._snapshot


@pytest.mark.parametrize("read", ["load", "reload"])
async def test_a_read_that_was_overtaken_by_a_write_puts_nothing_back(
    world: World, tiger: Tigercore, read: str
) -> None:
    account = await add(tiger)
    snapshot = snapshot_of(tiger)

    async def suspend() -> None:
        snapshot._store = world.store
        await tiger.accounts.update_account_status(account.id, AccountStatus.SUSPENDED)

    snapshot._store = SlowReads(world.store, suspend)  # type: ignore[assignment]
    await (snapshot.load() if read == "load" else snapshot.reload([account.id]))
    assert AccountStatus.SUSPENDED is snapshot.row(account.id).account.status


async def test_an_account_that_was_created_while_everything_was_read_is_kept(world: World, tiger: Tigercore) -> None:
    created = []
    snapshot = snapshot_of(tiger)

    async def create() -> None:
        snapshot._store = world.store
        created.append(await add(tiger))

    snapshot._store = SlowReads(world.store, create)  # type: ignore[assignment]
    await snapshot.load()
    assert [account.id for account in created] == list(snapshot.rows)


async def test_writes_without_end_do_not_keep_out_those_of_another_process(world: World, tiger: Tigercore) -> None:
    busy, other = await add(tiger), await add(tiger)

    async def write_for_ever() -> None:
        while True:
            await tiger.accounts.update_account(busy.id, {"weight": 1})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_for_ever)
        row = (await world.store.accounts([other.id]))[0]
        theirs = attrs.evolve(row, account=attrs.evolve(row.account, status=AccountStatus.SUSPENDED))
        await world.store.apply([Put(theirs)])
        while snapshot_of(tiger).row(other.id).account.status is not AccountStatus.SUSPENDED:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
