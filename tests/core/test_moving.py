"""StoreMover on fakes: a copy of a store in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest
import trio

from tests.conftest import World, add
from tests.core.yard import LOG, Yard, audit, chosen, freeze, is_frozen, is_untouched, line, meanwhile, plain
from tigercore import AuditSeverity, DecryptionFailed, KeyUnavailable, StoreUnavailable, TokenState
from tigercore._dump import Inventory
from tigercore._plugins import Chosen
from tigercore.moving import StoreMover
from tigercore.ports import Change, DriverContext, Put, Record, TokenAttempt, TokenRow
from tigercore.testing._memory_store import MemoryAccountStore
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

# -- copy: what arrives --------------------------------------------------------------------------------------------


async def test_a_copy_has_every_row_as_it_was(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    ours, theirs = await yard.source.delta(), await yard.target.delta()
    assert [plain(row) for row in ours.accounts] == [plain(row) for row in theirs.accounts]
    assert {row.id: plain(row) for row in ours.tokens} == {row.id: plain(row) for row in theirs.tokens}


async def test_a_copy_has_the_ring_as_it_was_before_the_freeze(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    before = await yard.source.key_ring()
    await yard.copy()
    assert before == await yard.target.key_ring()


async def test_a_copy_has_the_logs_in_their_order(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    assert (await audit(yard.source))[:-1] == (await audit(yard.target))[:-1]


async def test_attempts_of_one_moment_keep_their_order(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    ours, theirs = [await store.token_attempts(limit=LOG + 1) for store in (yard.source, yard.target)]
    assert ours == theirs


async def test_a_copy_counts_what_it_moved(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    moved = await yard.copy()
    lines = len(await audit(yard.target)) - 1
    assert Inventory(accounts=2, tokens=2, attempts=LOG, audit_lines=lines) == moved


async def test_both_sides_have_a_line_of_the_copy(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    last = [(await audit(store))[-1] for store in (yard.source, yard.target)]
    assert [("store.copied", "source"), ("store.copied", "target")] == [(e.action, e.details["side"]) for e in last]
    assert {(AuditSeverity.HIGH, "2")} == {(each.severity, each.details["accounts"]) for each in last}


async def test_a_copy_tells_how_far_it_is(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    assert {"waiting until no program writes", "copying the logs", "copying accounts and tokens", "comparing"} == {
        *yard.progress
    }


async def test_a_program_works_on_the_copy(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    async with yard.new.open() as tiger:
        found = await tiger.keys.verify()
        await add(tiger)
    assert (3, ()) == (found.rows, found.faults)


# -- copy: the source ----------------------------------------------------------------------------------------------


async def test_the_source_stays_frozen_after_a_copy(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    assert (True, False) == (await is_frozen(yard.source), await is_frozen(yard.target))


async def test_the_freeze_of_a_copy_leaves_the_epoch(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    before = await yard.source.key_ring()
    await yard.copy()
    after = await yard.source.key_ring()
    assert before is not None
    assert after is not None
    assert before.epoch == after.epoch


async def test_a_source_that_was_frozen_gives_a_frozen_copy(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    async with yard.world.open() as tiger:
        await tiger.keys.freeze()
    before = await yard.source.key_ring()
    await yard.copy()
    assert before == await yard.source.key_ring() == await yard.target.key_ring()


async def test_a_source_can_be_unfrozen_to_go_back(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    await yard.copy()
    async with yard.world.open() as tiger:
        await tiger.keys.unfreeze()
    assert not await is_frozen(yard.source)


async def test_a_target_that_holds_a_line_is_refused(yard: Yard) -> None:
    await yard.target.apply([Record(line(1))])
    with pytest.raises(StoreUnavailable, match="not empty"):
        await yard.copy()
    assert not await is_frozen(yard.source)


async def test_a_target_that_holds_an_attempt_is_refused(yard: Yard) -> None:
    await yard.target.apply([Record((await yard.source.token_attempts())[0])])
    with pytest.raises(StoreUnavailable, match="not empty"):
        await yard.copy()


async def test_a_store_is_not_copied_into_itself(yard: Yard) -> None:
    with pytest.raises(StoreUnavailable, match="not empty"):
        await yard.copy(into=chosen(yard.source))
    assert not await is_frozen(yard.source)


async def test_another_root_copies_nothing(yard: Yard) -> None:
    with pytest.raises(KeyUnavailable):
        await yard.mover("another").copy(yard.source, chosen(yard.target), yard.world.client)
    assert await is_untouched(yard.target)


async def test_a_source_without_a_ring_is_refused(yard: Yard) -> None:
    with pytest.raises(KeyUnavailable, match="no key ring"):
        await yard.mover().copy(yard.target, chosen(World().store), yard.world.client)


async def test_a_source_with_a_secret_that_does_not_open_is_not_frozen(yard: Yard) -> None:
    row = (await yard.source.accounts())[0]
    await yard.source.apply([Put(attrs.evolve(row, sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])))])
    with pytest.raises(DecryptionFailed, match=f"AccountRow {row.id} does not open"):
        await yard.copy()
    assert not await is_frozen(yard.source)
    assert await is_untouched(yard.target)


# -- copy: others, and failures ------------------------------------------------------------------------------------


async def put_again(yard: Yard) -> None:
    row = (await yard.source.accounts())[0]
    await yard.source.apply([Put(row)])


async def test_a_copy_waits_for_what_programs_still_write(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_for_a_while, yard)
        await yard.copy()
    assert (await yard.source.accounts())[0].account.version > (await yard.target.accounts())[0].account.version
    assert 5 < trio.current_time()


async def write_for_a_while(yard: Yard) -> None:
    for _ in range(10):
        await trio.sleep(0.5)
        await put_again(yard)


async def test_a_source_that_never_rests_is_unfrozen_again(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_for_ever, yard)
        with pytest.raises(StoreUnavailable, match="go on writing"):
            await yard.copy()
        nursery.cancel_scope.cancel()
    assert not await is_frozen(yard.source)


async def write_for_ever(yard: Yard) -> None:
    while True:
        await trio.sleep(0.5)
        await put_again(yard)


async def test_a_copy_does_not_tear_a_refresh_that_is_under_way(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    row = next(row for row in await yard.source.token_rows() if row.sealed)
    until = yard.world.clock.now() + timedelta(seconds=45)
    await yard.source.apply([Put(attrs.evolve(row, state=TokenState.REFRESHING, owner="them", lease_until=until))])
    with pytest.raises(StoreUnavailable, match="refresh a token"):
        await yard.copy()


async def test_a_lease_that_is_long_over_does_not_stop_a_copy(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    row = next(row for row in await yard.source.token_rows() if row.sealed)
    until = yard.world.clock.now() - timedelta(seconds=120)
    await yard.source.apply([Put(attrs.evolve(row, state=TokenState.REFRESHING, owner="them", lease_until=until))])
    await yard.copy()
    assert TokenState.REFRESHING in {row.state for row in await yard.target.token_rows()}


async def test_a_row_that_others_write_while_it_is_copied_fails_the_copy(
    yard: Yard, autojump_clock: trio.abc.Clock
) -> None:
    source = meanwhile(yard, "token_attempts", 1, lambda: put_again(yard))
    with pytest.raises(StoreUnavailable, match="others have written"):
        await yard.copy(source)
    assert not await is_frozen(yard.source)


async def test_a_claim_while_it_is_copied_fails_the_copy(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    due = next(row for row in await yard.source.token_rows() if row.sealed)
    await yard.source.apply([Put(attrs.evolve(due, next_at=yard.world.clock.now()))])
    source = meanwhile(yard, "token_attempts", 1, lambda: yard.source.claim_due_tokens("them", 45, 1))
    with pytest.raises(StoreUnavailable, match="others have written"):
        await yard.copy(source)


async def test_an_audit_line_of_others_while_it_is_copied_fails_the_copy(
    yard: Yard, autojump_clock: trio.abc.Clock
) -> None:
    source = meanwhile(yard, "token_attempts", 1, lambda: yard.source.apply([Record(line(0))]))
    with pytest.raises(StoreUnavailable, match="does not hold what the source holds"):
        await yard.copy(source)


async def test_a_ring_that_others_change_before_the_freeze_fails_the_copy(yard: Yard) -> None:
    source = meanwhile(yard, "apply", 1, lambda: freeze(yard))
    with pytest.raises(StoreUnavailable, match="key ring of the source: try again"):
        await yard.copy(source)


async def test_a_ring_that_others_rotate_before_the_freeze_is_not_said_to_be_frozen(yard: Yard) -> None:
    source = meanwhile(yard, "apply", 1, lambda: rotate(yard))
    with pytest.raises(StoreUnavailable, match="key ring of the source: try again"):
        await yard.copy(source)
    assert "not frozen any more" in yard.said[-1]


async def rotate(yard: Yard) -> None:
    async with yard.world.open() as tiger:
        await tiger.keys.rotate()


async def test_a_panic_while_it_is_copied_fails_the_copy_and_is_not_undone(
    yard: Yard, autojump_clock: trio.abc.Clock
) -> None:
    source = meanwhile(yard, "wait_for_change", 2, lambda: freeze(yard))
    with pytest.raises(StoreUnavailable, match="changed the key ring of the source"):
        await yard.copy(source)
    assert await is_frozen(yard.source)
    assert "still frozen" in yard.said[-1]


Instead = Callable[[Sequence[Change]], Sequence[Change]]


@attrs.frozen
class Bent:
    """A driver of stores in memory that carry out something else than they are told."""

    instead: Instead

    def schema(self, options: Any) -> Any:
        return MemoryAccountStore.schema(options)

    @asynccontextmanager
    async def open(self, options: Any, context: DriverContext) -> AsyncIterator[Any]:
        yield BentStore(MemoryAccountStore(options, context), self.instead)


@attrs.frozen
class BentStore:
    store: MemoryAccountStore
    instead: Instead

    async def apply(self, changes: Sequence[Change]) -> int:
        return await self.store.apply(self.instead(changes))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def bent(yard: Yard, instead: Instead) -> Any:
    driver: Any = Bent(instead)
    return Chosen(driver, yard.target.options)


def full(changes: Sequence[Change]) -> Sequence[Change]:
    if any(isinstance(change, Put) for change in changes):
        raise StoreUnavailable("the disk is full")
    return changes


def forgetful(changes: Sequence[Change]) -> Sequence[Change]:
    return [each for each in changes if not (isinstance(each, Record) and isinstance(each.entry, TokenAttempt))]


def careless(changes: Sequence[Change]) -> Sequence[Change]:
    return [each for each in changes if not (isinstance(each, Put) and isinstance(each.row, TokenRow))]


async def test_a_copy_that_breaks_off_unfreezes_the_source_and_names_what_is_left(
    yard: Yard, autojump_clock: trio.abc.Clock
) -> None:
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await yard.copy(into=bent(yard, full))
    assert not await is_frozen(yard.source)
    assert ["The source is not frozen any more. What the new store holds is no copy: delete it."] == yard.said


async def test_a_copy_that_breaks_off_leaves_no_account_and_no_ring(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await yard.copy(into=bent(yard, full))
    left = await yard.target.delta()
    assert ((), (), None) == (left.accounts, left.tokens, left.ring)
    assert [] != await audit(yard.target)


@pytest.mark.parametrize("instead", [forgetful, careless])
async def test_a_store_that_does_not_keep_what_it_is_given_is_found(
    yard: Yard, autojump_clock: trio.abc.Clock, instead: Instead
) -> None:
    with pytest.raises(StoreUnavailable, match="does not hold what the source holds"):
        await yard.copy(into=bent(yard, instead))
    assert not await is_frozen(yard.source)


async def test_ctrl_c_unfreezes_the_source(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    with pytest.raises(KeyboardInterrupt):
        await interrupted(yard, KeyboardInterrupt)
    assert not await is_frozen(yard.source)


async def interrupted(yard: Yard, how: Callable[[], BaseException]) -> None:
    def stop(what: str, done: int) -> None:
        if what == "copying the logs":
            raise how()

    context = driver_context(yard.world.clock)
    mover = StoreMover(ToyCipher(ToyOptions("root"), context), context, "test", progress=stop, say=yard.said.append)
    await mover.copy(yard.source, chosen(yard.target), yard.world.client)


async def test_a_cancelled_copy_unfreezes_the_source(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    with trio.move_on_after(0.5):
        await yard.copy()
    assert not await is_frozen(yard.source)


async def test_the_log_tells_that_a_freeze_was_undone(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    with trio.move_on_after(0.5):
        await yard.copy()
    assert [("keyring.freeze", "store.copy"), ("keyring.unfreeze", "store.copy")] == [
        (each.action, each.target) for each in (await audit(yard.source))[-2:]
    ]


async def test_a_source_that_is_gone_is_said_to_be_frozen_still(yard: Yard, autojump_clock: trio.abc.Clock) -> None:
    def lose() -> BaseException:
        yard.world.backend.broken = True
        return KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        await interrupted(yard, lose)
    assert "still frozen" in yard.said[-1]


async def test_a_source_that_hangs_does_not_hold_up_the_end_for_ever(
    yard: Yard, autojump_clock: trio.abc.Clock
) -> None:
    with trio.move_on_after(0.5):
        await yard.copy(meanwhile(yard, "key_ring", 2, trio.sleep_forever))
    assert 10 < trio.current_time() < 11
    assert "still frozen" in yard.said[-1]
