"""TokenManager on fakes."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.conftest import World, add
from tigercore import (
    AccountValidationError,
    NotProcessed,
    OutcomeUnknown,
    RateLimited,
    RefreshResult,
    RefreshTrigger,
    Rejected,
    Secret,
    TigerAccount,
    Tigercore,
    Token,
    TokenNeedsReauthorisation,
    TokenRefreshError,
    TokenRefreshStatus,
    TokenState,
    Unauthorized,
    run_on,
)
from tigercore.app import Ports
from tigercore.ports import Put, Remove, TokenRow
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

DAYS = 15
METHOD = "user_token_refresh"


@pytest.fixture
async def holder(world: World, tiger: Tigercore) -> TigerAccount:
    """Return an account with a token of 15 days."""
    return await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=DAYS)))


def minted(world: World, days: int = 30) -> dict[str, Any]:
    return {"token": token_text(world.clock.now(), timedelta(days=days), tail=b"another token 16")}


class Always(random.Random):
    """Randomness that always comes out alike."""

    def __init__(self, value: float) -> None:
        super().__init__(0)
        self._value = value

    def random(self) -> float:
        return self._value


async def test_refreshing_an_account_without_a_token_is_a_success(tiger: Tigercore) -> None:
    assert RefreshResult(True, None) == await tiger.tokens.refresh_token(await add(tiger))


async def test_a_refresh_brings_the_token_that_the_gateway_gave(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))
    success, error = await tiger.tokens.refresh_token(holder)
    assert (True, None) == (success, error)
    token = await tiger.tokens.token_for(holder)
    assert token is not None
    assert minted(world)["token"] == token.value.reveal()


async def test_a_refreshed_token_survives_a_restart(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=DAYS)))
        world.client.answer(METHOD, minted(world))
        await tiger.tokens.refresh_token(account)
    async with world.open() as tiger:
        token = await tiger.tokens.token_for(account)
        assert token is not None
        assert minted(world)["token"] == token.value.reveal()


async def test_twenty_callers_share_one_refresh(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    world.client.answer(METHOD, minted(world))
    results = []

    async def one() -> None:
        results.append(await tiger.tokens.refresh_token(holder))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
    assert [RefreshResult(True)] * 20 == results
    assert [METHOD] == [method for _, method, _ in world.client.calls]


async def test_a_caller_who_gives_up_takes_nothing_from_the_refresh(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))
    with trio.CancelScope() as scope:
        scope.cancel()
        await tiger.tokens.refresh_token(holder)
    await trio.testing.wait_all_tasks_blocked()
    token = await tiger.tokens.token_for(holder)
    assert token is not None
    assert minted(world)["token"] == token.value.reveal()


@pytest.mark.parametrize(
    ("error", "state", "status"),
    [
        (NotProcessed(METHOD, "connection refused"), TokenState.VALID, TokenRefreshStatus.NOT_SENT),
        (RateLimited(METHOD, "limit", retry_after=60), TokenState.VALID, TokenRefreshStatus.RATE_LIMITED),
        (Unauthorized(METHOD, "token invalid"), TokenState.UNCERTAIN, TokenRefreshStatus.REJECTED),
        (OutcomeUnknown(METHOD, "timeout"), TokenState.UNCERTAIN, TokenRefreshStatus.STARTED),
        (Rejected(METHOD, "forbidden", code=4), TokenState.VALID, TokenRefreshStatus.REJECTED),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_each_failure_leaves_the_token_where_it_belongs(
    world: World, tiger: Tigercore, holder: TigerAccount, error: Any, state: TokenState, status: TokenRefreshStatus
) -> None:
    world.client.fail(None, METHOD, error)
    assert not (await tiger.tokens.refresh_token(holder)).success
    assert state is (await tiger.tokens.get_token_status(holder)).state
    assert [status] == [attempt.status for attempt in await tiger.tokens.get_token_status_history(holder)]


async def test_a_failed_refresh_keeps_the_old_token_in_use(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    before = await tiger.tokens.token_for(holder)
    world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
    await tiger.tokens.refresh_token(holder)
    assert before == await tiger.tokens.token_for(holder)


async def test_each_failure_puts_the_next_try_off_for_longer(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    tiger.tokens._source._refresher._exchange._rng = Always(1.0)
    waits = []
    for _ in range(3):
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
        await tiger.tokens.refresh_token(holder)
        status = await tiger.tokens.get_token_status(holder)
        assert status.next_refresh_at is not None
        waits.append((status.next_refresh_at - world.clock.now()).total_seconds())
    assert [30, 60, 120] == waits


async def test_a_token_in_doubt_that_still_works_is_valid_again(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    before = await tiger.tokens.token_for(holder)
    world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "timeout"))
    await tiger.tokens.refresh_token(holder)
    world.clock.advance(61)
    assert before == await tiger.tokens.token_for(holder)
    assert TokenState.VALID is (await tiger.tokens.get_token_status(holder)).state


async def test_a_token_in_doubt_that_is_dead_needs_a_person(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "timeout"))
    await tiger.tokens.refresh_token(holder)
    world.clock.advance(61)
    world.client.fail(None, "accounts", Unauthorized("accounts", "token invalid"))
    world.client.fail(None, METHOD, Unauthorized(METHOD, "token invalid"))
    with pytest.raises(TokenNeedsReauthorisation, match="portal"):
        await tiger.tokens.token_for(holder)
    assert TokenState.NEEDS_REAUTH is (await tiger.tokens.get_token_status(holder)).state


async def test_a_person_brings_a_dead_account_back(world: World, tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK")
    await tiger.accounts.update_tokens(account.id, token_text(world.clock.now()))
    assert TokenState.VALID is (await tiger.tokens.get_token_status(account)).state


async def test_an_expired_token_is_not_handed_out(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    await tiger.tokens.validate_token(holder)  # so that the gateway's time is known
    world.clock.advance((DAYS + 1) * 86400)
    with pytest.raises(TokenNeedsReauthorisation):
        await tiger.tokens.token_for(holder)


async def test_an_expired_token_is_not_sent_for_a_refresh(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    await tiger.tokens.validate_token(holder)  # so that the gateway's time is known
    world.clock.advance((DAYS + 1) * 86400)
    assert not (await tiger.tokens.refresh_token(holder)).success
    assert METHOD not in [method for _, method, _ in world.client.calls]


async def test_validating_asks_the_gateway(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    valid, error = await tiger.tokens.validate_token(holder)
    assert (True, None) == (valid, error)
    assert ["accounts"] == [method for _, method, _ in world.client.calls]


async def test_a_token_that_the_gateway_refuses_is_not_valid(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.fail(None, "accounts", Unauthorized("accounts", "token invalid"))
    assert not (await tiger.tokens.validate_token(holder)).valid
    assert TokenState.UNCERTAIN is (await tiger.tokens.get_token_status(holder)).state


async def test_a_token_is_due_at_about_half_its_life(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    status = await tiger.tokens.get_token_status(holder)
    assert status.next_refresh_at is not None
    assert 0.45 <= (status.next_refresh_at - world.clock.now()) / timedelta(days=DAYS) <= 0.55


async def test_a_scheduled_time_survives_a_restart(world: World) -> None:
    at = world.clock.now() + timedelta(hours=5)
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        await tiger.tokens.schedule_token_refresh(account, at)
    async with world.open() as tiger:
        assert at == (await tiger.tokens.get_token_status(account)).next_refresh_at


async def test_nothing_can_be_scheduled_without_a_token(tiger: Tigercore) -> None:
    with pytest.raises(TokenRefreshError, match="nothing to schedule"):
        await tiger.tokens.schedule_token_refresh(await add(tiger))


async def test_due_tokens_are_refreshed_and_the_others_are_left(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    fresh = await add(tiger, tiger_id="2", license="TBHK", token=token_text(world.clock.now() + timedelta(days=9)))
    world.client.answer(METHOD, minted(world))
    world.clock.advance(10 * 86400)
    assert {holder.id: RefreshResult(True)} == await tiger.tokens.refresh_expired_tokens()
    assert [] == await tiger.tokens.get_token_status_history(fresh)


async def test_the_scheduler_refreshes_what_is_due(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    world.client.answer(METHOD, minted(world))
    world.clock.advance(10 * 86400)
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.testing.wait_all_tasks_blocked()
    history = await tiger.tokens.get_token_status_history(holder)
    assert [(RefreshTrigger.SCHEDULED, TokenRefreshStatus.SUCCEEDED)] == [(a.trigger, a.status) for a in history]


async def test_a_stopped_scheduler_refreshes_nothing(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    await tiger.tokens.start_background_refresh_scheduler()
    await tiger.tokens.stop_background_tasks()
    world.clock.advance(10 * 86400)
    await trio.testing.wait_all_tasks_blocked()
    assert [] == await tiger.tokens.get_token_status_history(holder)


async def test_statistics_count_attempts_by_how_they_ended(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
    await tiger.tokens.refresh_token(holder)
    world.client.answer(METHOD, minted(world))
    await tiger.tokens.refresh_token(holder)
    statistics = await tiger.tokens.get_refresh_statistics(days=1)
    assert (2, 0.5) == (statistics.attempts, statistics.success_rate)


async def test_two_processes_do_not_refresh_one_token_at_once(
    autojump_clock: trio.abc.Clock, world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.latency = 3600
    async with world.open() as other, trio.open_nursery() as nursery:
        nursery.start_soon(tiger.tokens.refresh_token, holder)
        await trio.testing.wait_all_tasks_blocked()
        result = await other.tokens.refresh_token(holder)
        assert "being refreshed already" in (result.error or "")
        nursery.cancel_scope.cancel()
    assert [METHOD] == [method for _, method, _ in world.client.calls]


# -- a developer has one token for all of its accounts (protocol 4A.6) -----------------------------------------


@pytest.fixture
async def sibling(world: World, tiger: Tigercore, holder: TigerAccount) -> TigerAccount:
    """Return a second account of the same developer, enrolled with the same token."""
    token = await tiger.tokens.token_for(holder)
    assert token is not None
    return await add(tiger, license="TBHK", token=token.value)


async def test_refreshing_one_account_gives_its_siblings_the_new_token_too(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))
    await tiger.tokens.refresh_token(holder)
    token = await tiger.tokens.token_for(sibling)
    assert token is not None
    assert minted(world)["token"] == token.value.reveal()


async def damage(world: World, tiger: Tigercore, account: TigerAccount) -> None:
    """Let the token of an account not open any more, nor lie in memory."""
    (row,) = await world.store.token_rows([account.id])
    await world.store.apply([Put(attrs.evolve(row, sealed=(row.sealed or b"")[:-1] + b"?"))])
    await wait_all_tasks_blocked()
    tiger.tokens._vault.forget_all()


async def test_a_sibling_that_does_not_open_costs_no_token_and_gets_the_new_one(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    await damage(world, tiger, sibling)
    world.client.answer(METHOD, minted(world))
    assert (await tiger.tokens.refresh_token(holder)).success
    tokens = [await tiger.tokens.token_for(each) for each in (holder, sibling)]
    assert [minted(world)["token"]] * 2 == [token and token.value.reveal() for token in tokens]


@pytest.mark.parametrize("error", [Rejected(METHOD, "no"), OutcomeUnknown(METHOD, "lost")], ids=repr)
async def test_a_refresh_that_fails_beside_a_sibling_that_does_not_open_is_noted(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount, error: Any
) -> None:
    await damage(world, tiger, sibling)
    world.client.fail(None, METHOD, error)
    assert not (await tiger.tokens.refresh_token(holder)).success
    [attempt] = await world.store.token_attempts()
    assert str(error) == attempt.detail


async def test_a_token_that_was_refused_is_in_doubt_though_a_sibling_does_not_open(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    token = await tiger.tokens.token_for(holder)
    await damage(world, tiger, sibling)
    await tiger.tokens.distrust(holder, token)
    assert TokenState.UNCERTAIN is (await tiger.tokens.get_token_status(holder)).state


async def test_a_new_token_serves_while_it_cannot_be_stored_and_the_rows_not_be_read_again(
    world: World, tiger: Tigercore, holder: TigerAccount, autojump_clock: trio.abc.Clock
) -> None:
    async with under_way(world, tiger, holder), tiger.router._snapshot._loading:  # as while a root does not answer
        await bumped(world, holder)
        await trio.sleep(60)
        token = await tiger.tokens.token_for(holder)
    assert token is not None
    assert minted(world)["token"] == token.value.reveal()


@asynccontextmanager
async def under_way(world: World, tiger: Tigercore, account: TigerAccount) -> AsyncIterator[None]:
    """Begin a refresh that takes 5 s, and wait for its end."""
    world.client.answer(METHOD, minted(world))
    world.client.latency = 5.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tiger.tokens.refresh_token, account)
        await wait_all_tasks_blocked()
        yield


async def bumped(world: World, account: TigerAccount) -> None:
    """Write the token row of an account as it is: what was read before is stale."""
    await world.store.apply([Put(row) for row in await world.store.token_rows([account.id])])


async def test_a_refresh_that_was_under_way_brings_no_condemned_token_back(
    world: World, tiger: Tigercore, holder: TigerAccount, autojump_clock: trio.abc.Clock
) -> None:
    async with under_way(world, tiger, holder):
        await tiger.keys.condemn()
    assert TokenState.DISABLED is (await tiger.tokens.get_token_status(holder)).state


async def test_siblings_that_refresh_at_once_share_one_refresh(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tiger.tokens.refresh_token, holder)
        nursery.start_soon(tiger.tokens.refresh_token, sibling)
    assert [METHOD] == [method for _, method, _ in world.client.calls]


async def test_the_scheduler_refreshes_a_developer_once(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))
    world.clock.advance(10 * 86400)
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.testing.wait_all_tasks_blocked()
    assert [METHOD] == [method for _, method, _ in world.client.calls]
    assert TokenState.VALID is (await tiger.tokens.get_token_status(sibling)).state


async def test_two_processes_do_not_refresh_one_developer_at_once(
    autojump_clock: trio.abc.Clock, world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    world.client.latency = 3600
    async with world.open() as other, trio.open_nursery() as nursery:
        nursery.start_soon(tiger.tokens.refresh_token, holder)
        await trio.testing.wait_all_tasks_blocked()
        assert not (await other.tokens.refresh_token(sibling)).success
        nursery.cancel_scope.cancel()
    assert [METHOD] == [method for _, method, _ in world.client.calls]


async def test_a_token_that_a_person_brings_serves_the_siblings_too(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    world.clock.advance(86400)
    brought = token_text(world.clock.now())
    await tiger.accounts.update_tokens(holder.id, brought)
    token = await tiger.tokens.token_for(sibling)
    assert token is not None
    assert brought == token.value.reveal()


async def test_an_older_token_than_the_one_that_lives_is_refused(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    old = token_text(world.clock.now() - timedelta(days=1))
    with pytest.raises(AccountValidationError, match="holds a newer one"):
        await tiger.accounts.update_tokens(holder.id, old)


async def test_an_account_that_is_enrolled_with_an_old_token_gets_the_newest_of_its_developer(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    late = await add(tiger, license="TBHK", token=token_text(world.clock.now() - timedelta(days=1)))
    assert await tiger.tokens.token_for(holder) == await tiger.tokens.token_for(late)


async def test_an_account_that_is_enrolled_without_a_token_gets_the_one_of_its_developer(
    tiger: Tigercore, holder: TigerAccount
) -> None:
    late = await add(tiger, license="TBHK")
    assert await tiger.tokens.token_for(holder) == await tiger.tokens.token_for(late)


async def test_when_the_account_that_falls_due_is_deleted_its_sibling_does(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    due = (await tiger.tokens.get_token_status(holder)).next_refresh_at
    leads = next(row.id for row in await world.store.token_rows() if row.next_at is not None)
    left = sibling if leads == holder.id else holder
    await tiger.accounts.delete_account(leads)
    assert due == (await tiger.tokens.get_token_status(left)).next_refresh_at


# -- what a hostile day brings ---------------------------------------------------------------------------------

Happening = Callable[[], Awaitable[object]]


async def nothing() -> None:
    return None


class Eventful:
    """The scripted client, but for what happens before the gateway refreshes a token and after it has."""

    def __init__(self, client: ScriptedTigerClient, before: Happening = nothing, after: Happening = nothing) -> None:
        self._client = client
        self._before = before
        self._after = after

    async def refresh(self, *args: Any) -> Any:
        await self._before()
        fresh = await self._client.refresh(*args)
        await self._after()
        return fresh

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def interpose(world: World, tiger: Tigercore, before: Happening = nothing, after: Happening = nothing) -> None:
    tiger.tokens._source._refresher._exchange._client = Eventful(world.client, before, after)  # type: ignore[assignment]


async def test_a_lost_refresh_is_not_sent_again_at_once(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "timeout"))
    await tiger.tokens.refresh_token(holder)
    result = await tiger.tokens.refresh_token(holder)
    assert "can be asked about it at" in (result.error or "")
    assert [METHOD] == [method for _, method, _ in world.client.calls]


async def test_while_it_is_too_early_to_ask_the_old_token_is_handed_out(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    before = await tiger.tokens.token_for(holder)
    world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "timeout"))
    await tiger.tokens.refresh_token(holder)
    assert before == await tiger.tokens.token_for(holder)


async def test_a_new_token_outlives_an_outage_of_the_store(
    autojump_clock: trio.abc.Clock, world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))

    async def break_for_a_second() -> None:
        world.backend.broken = True
        tiger.tokens._nursery.start_soon(mend)

    async def mend() -> None:
        await trio.sleep(1)
        world.backend.broken = False

    interpose(world, tiger, before=break_for_a_second)
    assert (True, None) == await tiger.tokens.refresh_token(holder)
    async with world.open() as again:
        token = await again.tokens.token_for(holder)
        assert token is not None
        assert minted(world)["token"] == token.value.reveal()


async def test_a_new_token_serves_this_process_even_if_it_cannot_be_stored(
    autojump_clock: trio.abc.Clock, world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))

    async def break_for_good() -> None:
        world.backend.broken = True

    interpose(world, tiger, before=break_for_good)
    assert (await tiger.tokens.refresh_token(holder)).success
    token = await tiger.tokens.token_for(holder)
    assert token is not None
    assert minted(world)["token"] == token.value.reveal()


async def test_a_new_token_is_kept_when_another_process_wrote_the_row_meanwhile(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))

    async def meddle() -> None:
        row = (await world.store.token_rows([holder.id]))[0]
        await world.store.apply([Put(attrs.evolve(row, failures=7))])

    interpose(world, tiger, before=meddle)
    assert (True, None) == await tiger.tokens.refresh_token(holder)


async def test_closing_waits_for_a_refresh_that_the_gateway_may_carry_out(
    autojump_clock: trio.abc.Clock, world: World
) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        world.client.answer(METHOD, minted(world))
        world.client.latency = 10
        tiger.tokens._nursery.start_soon(tiger.tokens.refresh_token, account)
        await trio.testing.wait_all_tasks_blocked()
    world.client.latency = 0
    async with world.open() as tiger:
        token = await tiger.tokens.token_for(account)
        assert token is not None
        assert minted(world)["token"] == token.value.reveal()


async def test_a_lease_that_a_crash_left_behind_is_looked_into(world: World, tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    row = (await world.store.token_rows([account.id]))[0]
    over = world.clock.now() + timedelta(seconds=45)
    crashed = attrs.evolve(row, state=TokenState.REFRESHING, owner="gone", lease_until=over)
    await world.store.apply([Put(crashed)])
    await trio.testing.wait_all_tasks_blocked()
    world.clock.advance(3600)
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.testing.wait_all_tasks_blocked()
    assert TokenState.UNCERTAIN is (await tiger.tokens.get_token_status(account)).state
    world.clock.advance(61)
    await tiger.tokens.token_for(account)
    assert TokenState.VALID is (await tiger.tokens.get_token_status(account)).state


async def test_an_older_token_never_replaces_a_newer_one(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    brought = token_text(world.clock.now() + timedelta(hours=1))
    world.client.answer(METHOD, minted(world))

    interpose(world, tiger, after=lambda: tiger.accounts.update_tokens(holder.id, brought))
    await tiger.tokens.refresh_token(holder)
    token = await tiger.tokens.token_for(holder)
    assert token is not None
    assert brought == token.value.reveal()


async def test_deleting_an_account_in_the_midst_of_its_refresh_harms_nobody(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    interpose(world, tiger, before=lambda: tiger.accounts.delete_account(holder.id))
    await tiger.tokens.refresh_token(holder)
    assert [] == await tiger.accounts.list_accounts()


async def test_a_row_that_was_tampered_with_harms_its_own_account_only(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    row = (await world.store.token_rows([account.id]))[0]
    await world.store.apply([Put(attrs.evolve(row, sealed=b"rubbish"))])
    async with world.open() as tiger:
        well = await add(tiger, tiger_id="2")
        assert not (await tiger.tokens.refresh_token(account)).success
        await tiger.execute("quote_real_time", {"symbols": ["AAPL"]})
        assert well.id == (await tiger.router.route_operation("quote_real_time")).id


async def test_the_scheduler_outlives_an_outage_of_the_store(
    autojump_clock: trio.abc.Clock, world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world))
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.testing.wait_all_tasks_blocked()
    world.backend.broken = True
    world.clock.advance(10 * 86400)
    await trio.sleep(4000)
    world.backend.broken = False
    await trio.sleep(4000)
    assert [TokenRefreshStatus.SUCCEEDED] == [a.status for a in await tiger.tokens.get_token_status_history(holder)]


async def test_two_schedulers_refresh_a_developer_of_two_accounts_once(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount
) -> None:
    world.client.answer(METHOD, minted(world, days=60))
    async with world.open() as other:
        await trio.testing.wait_all_tasks_blocked()
        world.clock.advance(10 * 86400)
        await tiger.tokens.start_background_refresh_scheduler()
        await other.tokens.start_background_refresh_scheduler()
        await trio.testing.wait_all_tasks_blocked()
    assert [METHOD] == [method for _, method, _ in world.client.calls]
    assert {TokenState.VALID} == {row.state for row in await world.store.token_rows()}


@pytest.mark.parametrize("how", ["enrolled", "refreshed", "brought"])
async def test_only_one_account_of_a_developer_falls_due_so_that_no_two_processes_claim_siblings(
    world: World, tiger: Tigercore, holder: TigerAccount, sibling: TigerAccount, how: str
) -> None:
    world.client.answer(METHOD, minted(world))
    match how:
        case "refreshed":
            await tiger.tokens.refresh_token(holder)
        case "brought":
            await tiger.accounts.update_tokens(holder.id, token_text(world.clock.now() + timedelta(hours=1)))
    world.clock.advance(20 * 86400)
    assert 1 == len(await world.store.claim_due_tokens("anyone", 45, 10))


class DeletingStore:
    """A store in which another process deletes each account at the moment in which its token is claimed."""

    def __init__(self, world: World) -> None:
        self._store = world.store

    async def claim_due_tokens(self, *args: Any) -> list[TokenRow]:
        claimed = await self._store.claim_due_tokens(*args)
        for row in await self._store.accounts([row.id for row in claimed]):
            await self._store.apply([Remove(row.id, row.version)])
        return claimed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_the_scheduler_outlives_an_account_that_is_deleted_while_its_token_is_claimed(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    tiger.tokens._scheduler._store = DeletingStore(world)  # type: ignore[assignment]
    world.clock.advance(10 * 86400)
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.testing.wait_all_tasks_blocked()
    assert [] == await tiger.accounts.list_accounts()
    assert [] == world.client.calls


async def test_the_scheduler_outlives_an_account_that_is_deleted_while_another_is_looked_into(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    other = await add(tiger, tiger_id="2", license="TBHK", token=token_text(world.clock.now()))
    now = world.clock.now()
    doubts = [attrs.evolve(row, state=TokenState.UNCERTAIN, next_at=now) for row in await world.store.token_rows()]
    await world.store.apply([Put(row) for row in doubts])
    await trio.testing.wait_all_tasks_blocked()

    async def delete_the_others(account: TigerAccount, _: object = None) -> None:
        await tiger.accounts.delete_account(other.id if account.id == holder.id else holder.id)

    tiger.tokens._source._refresher.settle = delete_the_others  # type: ignore[method-assign, assignment]
    tiger.tokens._scheduler._settings = TokenSettings(parallel=1)
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.testing.wait_all_tasks_blocked()
    assert 1 == len(await tiger.accounts.list_accounts())


# -- a key ring that this process cannot open ----------------------------------------------------------------------


def elsewhere(world: World, root: str) -> AbstractAsyncContextManager[Tigercore]:
    """Open the world as a process with another root does."""
    cipher = ToyCipher(ToyOptions(root), driver_context(seed=7))
    ports = Ports(world.store, cipher, world.client, world.balancers)
    return run_on(ports, world.settings, clock=world.clock, rng=random.Random(7))


async def rotate_away(world: World) -> None:
    """Change the root and then the key, so that who has the old root cannot follow."""
    async with elsewhere(world, "root") as old:
        await old.keys.rekey_root(ToyCipher(ToyOptions("another"), driver_context(seed=8)))
    async with elsewhere(world, "another") as new:
        await new.keys.rotate()


async def test_a_token_that_was_just_received_is_served_though_the_ring_does_not_open(
    world: World, tiger: Tigercore, autojump_clock: object
) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
    before = await tiger.tokens.token_for(account)
    world.client.latency = 1.0
    results: list[RefreshResult] = []

    async def refresh() -> None:
        results.append(await tiger.tokens.refresh_token(account))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh)
        await wait_all_tasks_blocked()
        await rotate_away(world)
    assert [True] == [each.success for each in results]
    assert before != await tiger.tokens.token_for(account)


async def test_the_scheduler_outlives_a_ring_that_does_not_open(world: World, autojump_clock: object) -> None:
    async with world.open() as tiger:
        token = token_text(world.clock.now(), timedelta(days=15))
        await add(tiger, license="TBHK", token=token)
        await tiger.tokens.start_background_refresh_scheduler()
        await rotate_away(world)
        world.clock.advance(10 * 86_400)
        for _ in range(5):
            tiger.router._snapshot._announce()
            await trio.sleep(70)


async def test_a_frozen_scheduler_claims_nothing(world: World, autojump_clock: object) -> None:
    async with world.open() as tiger:
        await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
        await tiger.keys.freeze()
        await tiger.tokens.start_background_refresh_scheduler()
        world.clock.advance(8 * 86_400)
        await trio.sleep(200)
        assert [TokenState.VALID] == [row.state for row in await world.store.token_rows()]
        await tiger.keys.unfreeze()
        await trio.sleep(200)
    assert world.clock.now() < (await world.store.token_rows())[0].expires_at  # type: ignore[operator]
    assert 1 == len(await world.store.token_attempts())


async def test_a_token_that_another_process_sealed_for_the_same_time_is_not_taken_for_ours(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        vault, row = tiger.tokens._vault, (await world.store.token_rows())[0]
        ours, theirs = (Token(Secret(text), row.issued_at, row.expires_at) for text in ("ours", "theirs"))
        assert ours == vault.open_token(vault.seal_token(row, ours))
        assert theirs == vault.open_token(vault.seal_token(row, theirs))
        assert account.id == row.id


async def test_a_token_that_is_stored_already_dissolves_no_lease(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        world.clock.advance(60)
        assert (True, None) == await tiger.tokens.refresh_token(account)
        fresh, [attempt] = await tiger.tokens.token_for(account), await world.store.token_attempts()
        assert fresh is not None
        [row] = await world.store.token_rows()
        until = world.clock.now() + timedelta(seconds=45)
        leased = attrs.evolve(row, state=TokenState.REFRESHING, owner="another", lease_until=until)
        await world.store.apply([Put(leased)])
        await tiger.tokens._source._refresher._keeper.store(
            account, attempt, fresh, recovers=False
        )  # as who adopts the same journal late
        assert ("another", until) == next((row.owner, row.lease_until) for row in await world.store.token_rows())
        assert [TokenRefreshStatus.SUCCEEDED] == [each.status for each in await world.store.token_attempts()]


async def test_who_was_too_late_leaves_the_lease_of_another_alone(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        world.client.fail(None, "user_token_refresh", NotProcessed("user_token_refresh", "refused"))
        await tiger.tokens.refresh_token(account)
        token, [attempt] = await tiger.tokens.token_for(account), await world.store.token_attempts()
        assert token is not None
        [row] = await world.store.token_rows()
        until = world.clock.now() + timedelta(seconds=45)
        leased = attrs.evolve(row, state=TokenState.REFRESHING, owner="another", lease_until=until)
        await world.store.apply([Put(leased)])
        error = NotProcessed("user_token_refresh", "held up")
        await tiger.tokens._snapshot.load()
        await tiger.tokens._source._refresher._exchange._note_loss(account, attempt, token, error)
        assert ("another", until) == next((row.owner, row.lease_until) for row in await world.store.token_rows())


async def test_a_recovery_that_was_not_sent_leaves_the_token_in_doubt(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        await tiger.tokens.distrust(account, await tiger.tokens.token_for(account))
        world.client.fail(None, "accounts", Unauthorized("accounts", "dead", code=401))
        world.client.fail(None, "user_token_refresh", NotProcessed("user_token_refresh", "refused"))
        await tiger.tokens.refresh_token(account)
        assert TokenState.UNCERTAIN is (await tiger.tokens.get_token_status(account)).state
