"""A yard for tests of moving: a store that is full, one that is empty, and a mover between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs

from tests.conftest import World
from tigercore import AuditEntry
from tigercore._dump import Inventory
from tigercore._plugins import Chosen
from tigercore.moving import StoreMover
from tigercore.ports import AccountStore, TokenRow
from tigercore.testing._memory_store import MemoryAccountStore
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

NOON = World().clock.now()
LOG = 2300  # lines, more than two pages

Work = Callable[[], Awaitable[object]]


@attrs.define
class Yard:
    """A full store, an empty one, and a mover between them."""

    world: World
    said: list[str] = attrs.field(factory=list)
    progress: list[str] = attrs.field(factory=list)
    new: World = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.new = World(clock=self.world.clock)

    @property
    def source(self) -> MemoryAccountStore:
        return self.world.store

    @property
    def target(self) -> MemoryAccountStore:
        return self.new.store

    def mover(self, root: str = "root") -> StoreMover:
        context = driver_context(self.world.clock)
        cipher = ToyCipher(ToyOptions(root), context)
        told: Callable[[str, int], None] = lambda what, done: self.progress.append(what)  # noqa: E731
        return StoreMover(cipher, context, "test", progress=told, say=self.said.append)

    async def copy(self, source: AccountStore | None = None, into: Chosen[AccountStore] | None = None) -> Inventory:
        return await self.mover().copy(source or self.source, into or chosen(self.target), self.world.client)

    async def backup(self, file: Path) -> Path:
        await self.mover().backup(self.source, file)
        return file

    async def restore(self, file: Path, root: str = "root") -> Inventory:
        return await self.mover(root).restore(file, chosen(self.target))


def chosen(store: MemoryAccountStore) -> Chosen[AccountStore]:
    return Chosen(MemoryAccountStore, store.options)


def line(number: int) -> AuditEntry:
    return AuditEntry(NOON, "test", "test.line", str(number), details={"ключ": "\U0001f42f\n"})


async def audit(store: AccountStore) -> list[AuditEntry]:
    return [each.entry for each in await store.audit(limit=1_000_000)]


async def is_frozen(store: AccountStore) -> bool:
    ring = await store.key_ring()
    assert ring is not None
    return ring.frozen


async def is_untouched(store: AccountStore) -> bool:
    return not ((await store.delta()).revision or await audit(store) or await store.token_attempts())


def plain(row: Any) -> Any:
    """Return a row as one that is new."""
    if isinstance(row, TokenRow):
        return attrs.evolve(row, version=0)
    return attrs.evolve(row, account=attrs.evolve(row.account, version=0))


class Meanwhile:
    """A source beside which somebody works: before the n-th batch is carried out, or the n-th time that it is read."""

    def __init__(self, store: MemoryAccountStore, method: str, nth: int, work: Work) -> None:
        self._store = store
        self._method = method
        self._left = nth
        self._work = work

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._beside(found) if name == self._method else found

    def _beside(self, found: Any) -> Any:
        async def beside(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                await self._work()
            return await found(*args, **options)

        return beside


def meanwhile(yard: Yard, method: str, nth: int, work: Work) -> Any:
    return Meanwhile(yard.source, method, nth, work)


async def freeze(yard: Yard) -> None:
    async with yard.world.open() as tiger:
        await tiger.keys.freeze()


def head_of(whole: bytes) -> bytes:
    return whole[: whole.index(b"\n") + 1]


def chunks(whole: bytes) -> list[bytes]:
    """Return the chunks of a backup, each with its length before it."""
    found, at = [], len(head_of(whole))
    while at < len(whole) - 32:
        end = at + 4 + int.from_bytes(whole[at : at + 4])
        found.append(whole[at:end])
        at = end
    return found
