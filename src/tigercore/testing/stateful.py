"""A state machine that does the same to a store and to the memory store, and compares all that stands after it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar, final
from uuid import UUID

import attrs
import hypothesis.strategies as st
import trio
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tigercore.errors import StaleVersion
from tigercore.model import KeyRing
from tigercore.ports import AccountRow, AccountStore, AuditLine, Change, Delta, Put, Remove, TokenRow
from tigercore.testing._memory_store import MemoryAccountStore, MemoryOptions
from tigercore.testing._store_strategies import asked_of_attempts, batches, changes, ids, moments, some_ids
from tigercore.testing.clock import driver_context

T = TypeVar("T")
OpenStore = Callable[[], AbstractAsyncContextManager[AccountStore]]


@final
class Portal:
    """Keep a store open in a trio thread, and call its methods from a program that does not run trio."""

    def __init__(self, open_store: OpenStore) -> None:
        self._open_store = open_store
        self._opened = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._opened.wait()
        if self._fault:
            raise self._fault

    def call(self, method: Callable[..., Awaitable[T]], *args: object) -> T:
        """Run a method of the store and return what it returns."""
        return trio.from_thread.run(method, *args, trio_token=self._token)

    def close(self) -> None:
        """Close the store and end the thread."""
        trio.from_thread.run_sync(self._closing.set, trio_token=self._token)
        self._thread.join()

    def _run(self) -> None:
        try:
            trio.run(self._keep_open)
        except BaseException as error:  # handed to the thread that waits for the store
            self._fault = error
        finally:
            self._opened.set()

    async def _keep_open(self) -> None:
        self._token, self._closing = trio.lowlevel.current_trio_token(), trio.Event()
        async with self._open_store() as self.store:
            self._opened.set()
            await self._closing.wait()


class StoreMachine(RuleBasedStateMachine):
    """Run random batches and claims. `store_machine` makes the class for a store."""

    open_store: OpenStore

    def __init__(self) -> None:
        super().__init__()
        self.subject = Portal(type(self).open_store)
        self.model = Portal(lambda: MemoryAccountStore.open(MemoryOptions(), driver_context()))

    def teardown(self) -> None:
        """Close both stores."""
        self.subject.close()
        self.model.close()

    @rule(batch=batches)
    def apply(self, batch: Sequence[Change]) -> None:
        """Apply whatever comes; most of it is stale."""
        self._same(lambda store: store.apply(batch))

    @rule(change=changes)
    def apply_at_what_stands(self, change: Change) -> None:
        """Apply a change that has read what stands."""
        versions = self.model.call(_versions, self.model.store)
        self._same(lambda store: store.apply([_at(versions, change)]))

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        """Claim due tokens; each store's lease is in its own time."""

        async def claim(store: AccountStore) -> list[Any]:
            return _without_leases(await store.claim_due_tokens("me", 60, limit))

        self._same(claim)

    @rule(back=st.integers(0, 4))
    def tell(self, back: int) -> None:
        """Tell what was put and removed since some revision."""
        self._same(lambda store: _told_since(store, back))

    @rule(before=st.none() | ids, of=some_ids, asked=asked_of_attempts)
    def turn_a_page(self, before: UUID | None, of: Collection[UUID] | None, asked: dict[str, Any]) -> None:
        """Read a page of attempts, the first or what stands behind one, which may not be there."""
        self._same(lambda store: store.token_attempts(of, before=before, **asked))

    @rule(of=some_ids, since=st.none() | moments)
    def sum_up(self, of: Collection[UUID] | None, since: datetime | None) -> None:
        """Sum attempts up."""
        self._same(lambda store: store.attempt_statistics(of, since=since))

    @invariant()
    def the_same_stands(self) -> None:
        """Compare everything that can be read."""
        self._same(_everything)

    def _same(self, action: Callable[[AccountStore], Awaitable[Any]]) -> None:
        expected, got = (each.call(_outcome, action, each.store) for each in (self.model, self.subject))
        assert expected == got


def store_machine(opened: OpenStore) -> type[StoreMachine]:
    """Return the state machine for a store; `opened` must open a new and empty one at every call.

    Run it with `hypothesis.stateful.run_state_machine_as_test`, or take its `TestCase`.
    """
    return type("StoreMachine", (StoreMachine,), {"open_store": staticmethod(opened)})


async def _outcome(action: Callable[[AccountStore], Awaitable[Any]], store: AccountStore) -> Any:
    try:
        return await action(store)
    except StaleVersion:
        return StaleVersion


async def _everything(store: AccountStore) -> list[Any]:
    tokens = _without_leases(await store.token_rows())
    rows = [await store.accounts(), tokens, await store.token_attempts(), _entries(await store.audit())]
    since = datetime(2001, 1, 1, tzinfo=UTC)
    ids = [row.id for row in rows[0][::2]]
    picked = [await store.accounts(ids), await store.token_attempts(since=since, limit=2)]
    picked += [await store.token_attempts(since=since, before=each.id, limit=2) for each in rows[2][:1]]
    return [
        *rows,
        *picked,
        await store.attempt_statistics(),
        await store.key_ring(),
        await store.wait_for_change(-1),
        await _told(store, -1),
        await _told_since(store, 1),
    ]


async def _told(store: AccountStore, after: int) -> Delta:
    delta = await store.delta(after)
    return attrs.evolve(delta, tokens=tuple(_without_leases(delta.tokens)))


async def _told_since(store: AccountStore, back: int) -> Delta:
    """Return what the last batches and claims have left, this many of them."""
    return await _told(store, max(-1, await store.wait_for_change(-1) - back))


def _entries(lines: list[AuditLine]) -> list[Any]:
    """Return the entries in their order; a store may leave out numbers, and never goes back."""
    numbers = [line.number for line in lines]
    assert sorted(set(numbers)) == numbers
    return [line.entry for line in lines]


def _without_leases(rows: Sequence[Any]) -> list[Any]:
    cleaned = (attrs.evolve(row, lease_until=None) if row.owner == "me" else row for row in rows)
    return sorted(cleaned, key=lambda row: row.id)


async def _versions(store: AccountStore) -> dict[Any, int]:
    ring = await store.key_ring()
    versions: dict[Any, int] = {(AccountRow, row.id): row.version for row in await store.accounts()}
    versions |= {(type(row), row.id): row.version for row in await store.token_rows()}
    return versions | ({(type(ring), ring.id): ring.version} if ring else {})


def _at(versions: dict[Any, int], change: Change) -> Change:
    match change:
        case Put(row=AccountRow() as row):
            account = attrs.evolve(row.account, version=versions.get((AccountRow, row.id), 0))
            return Put(attrs.evolve(row, account=account))
        case Put(row=TokenRow() as token):
            return Put(attrs.evolve(token, version=versions.get((TokenRow, token.id), 0)))
        case Put(row=KeyRing() as ring):
            return Put(attrs.evolve(ring, version=versions.get((KeyRing, ring.id), 0)))
        case Remove():
            return Remove(change.id, versions.get((AccountRow, change.id), 0))
    return change
