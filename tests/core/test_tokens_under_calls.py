"""What calls and the keeping of tokens do to each other: nobody waits for itself, is blamed for a token, or hammers."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.conftest import World, add, given
from tigercore import (
    AccountStatus,
    AccountValidationError,
    AuditResult,
    ClientError,
    NotProcessed,
    OutcomeUnknown,
    RateLimited,
    TigerAccount,
    Tigercore,
    TigerCoreError,
    TokenManagerError,
    TokenNeedsReauthorisation,
    TokenRefreshStatus,
    TokenState,
    Unauthorized,
)
from tigercore.grant import Grant
from tigercore.model import Secret
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import ManualClock, driver_context

METHOD = "user_token_refresh"
HOUR = 3600.0


@pytest.fixture
def world() -> World:
    """Return a world whose gateway goes by the clock of the test: else what it issues bears the real date."""
    clock = ManualClock()
    return World(clock=clock, client=ScriptedTigerClient(context=driver_context(clock)))


@pytest.fixture
async def holder(world: World, tiger: Tigercore) -> TigerAccount:
    return await add(tiger, license="TBHK", token=token_text(world.clock.now()))


@pytest.fixture
async def consented(world: World, tiger: Tigercore) -> TigerAccount:
    """Return an account that lives by a grant of an hour."""
    now = world.clock.now()
    grant = Grant("http://127.0.0.1:1", "client-1", Secret("one"), Secret("two"), "all", now, now + timedelta(hours=1))
    signing = {name: value for name, value in given().items() if name not in ("tiger_id", "private_key")}
    return await tiger.accounts.create_account(**signing, authentication="OAUTH2", token=grant.token().value)


def refreshes(world: World) -> int:
    """Return how often the gateway was asked for a token."""
    return sum(method == METHOD for _, method, _ in world.client.calls)


async def lose_a_refresh(world: World, tiger: Tigercore, account: TigerAccount) -> None:
    world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "no reply"))
    assert not (await tiger.tokens.refresh_token(account)).success


# -- nobody waits for itself -------------------------------------------------------------------------------------


async def test_an_order_does_not_wait_for_itself_while_its_grant_is_refreshed(
    world: World, tiger: Tigercore, consented: TigerAccount, autojump_clock: MockClock
) -> None:
    world.clock.advance(HOUR - 200)
    began = trio.current_time()
    await tiger.execute("PLACE_ORDER", {}, account=consented)
    assert (0, 1) == (trio.current_time() - began, refreshes(world))


async def test_an_order_finds_out_what_became_of_a_lost_refresh(
    world: World, tiger: Tigercore, holder: TigerAccount, autojump_clock: MockClock
) -> None:
    await lose_a_refresh(world, tiger, holder)
    world.clock.advance(TokenSettings().settle)
    world.client.fail(None, "accounts", Unauthorized("accounts", "dead", code=401))
    await tiger.execute("PLACE_ORDER", {}, account=holder)
    assert TokenState.VALID is (await tiger.tokens.get_token_status(holder)).state


async def test_an_order_is_not_sent_whose_token_died_while_it_waited(
    world: World, tiger: Tigercore, consented: TigerAccount
) -> None:
    async def order() -> None:
        with pytest.raises(TokenNeedsReauthorisation):
            await tiger.execute("PLACE_ORDER", {}, account=consented)

    async with trio.open_nursery() as nursery:
        with tiger.tokens._gate.shut(consented.developer):
            nursery.start_soon(order)
            await wait_all_tasks_blocked()
            await tiger.tokens.bury(consented)
    assert [] == world.client.calls


async def test_an_order_that_waited_while_signing_was_frozen_is_not_sent(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    async def order() -> None:
        with pytest.raises(TigerCoreError, match="frozen"):
            await tiger.execute("PLACE_ORDER", {}, account=holder)

    async with trio.open_nursery() as nursery:
        with tiger.tokens._gate.shut(holder.developer):
            nursery.start_soon(order)
            await wait_all_tasks_blocked()
            await tiger.keys.freeze()
    assert [] == world.client.calls


async def test_an_order_whose_account_was_deleted_while_it_waited_was_not_carried_out(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    async def order() -> None:
        with pytest.raises(NotProcessed):
            await tiger.execute("PLACE_ORDER", {}, account=holder)

    async with trio.open_nursery() as nursery:
        with tiger.tokens._gate.shut(holder.developer):
            nursery.start_soon(order)
            await wait_all_tasks_blocked()
            await tiger.accounts.delete_account(holder.id)
    assert [] == world.client.calls


async def test_an_order_needs_no_store_while_its_grant_lives_and_cannot_be_refreshed(
    world: World, tiger: Tigercore, consented: TigerAccount
) -> None:
    world.clock.advance(HOUR - 300)
    world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"), times=100)
    await tiger.execute("PLACE_ORDER", {}, account=consented)
    world.backend.broken = True
    await tiger.execute("PLACE_ORDER", {}, account=consented)
    assert 1 == refreshes(world)


# -- nobody is blamed for a token --------------------------------------------------------------------------------


async def be_refused(world: World, tiger: Tigercore, account: TigerAccount, times: int) -> None:
    world.client.fail(None, "place_order", Unauthorized("place_order", "refused", code=401), times=times)
    for _ in range(times):
        with pytest.raises(TigerCoreError):
            await tiger.execute("PLACE_ORDER", {}, account=account)
    await wait_all_tasks_blocked()


async def test_an_account_whose_token_is_in_doubt_is_not_suspended_for_that(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    await lose_a_refresh(world, tiger, holder)
    await be_refused(world, tiger, holder, 5)
    account = await tiger.accounts.get_account_by_id(holder.id)
    assert (AccountStatus.ACTIVE, 0) == (account.status, account.error_count)


async def test_an_account_without_a_token_that_is_refused_is_counted(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await be_refused(world, tiger, account, 2)
    assert 2 == (await tiger.accounts.get_account_by_id(account.id)).error_count


# -- nobody hammers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [Unauthorized(METHOD, "invalid"), OutcomeUnknown(METHOD, "HTTP 502")], ids=["refused", "unknown"]
)
async def test_who_lives_on_after_a_refresh_that_failed_is_refreshed_less_and_less_often(
    world: World, tiger: Tigercore, holder: TigerAccount, autojump_clock: MockClock, error: TigerCoreError
) -> None:
    world.client.fail(None, METHOD, error, times=10**6)
    world.clock.advance(20 * 24 * HOUR)
    await tiger.tokens.start_background_refresh_scheduler()
    asked = [0]
    for _ in range(8):
        for _ in range(360):
            world.clock.advance(10)
            await trio.sleep(10)
        asked.append(refreshes(world))
    first, last = asked[1] - asked[0], asked[-1] - asked[-2]
    assert 3 <= first <= 12
    assert 1 <= last <= 3
    assert TokenState.NEEDS_REAUTH is not (await tiger.tokens.get_token_status(holder)).state


@pytest.mark.parametrize("age", [HOUR - 200, HOUR + 1], ids=["near its end", "after it"])
async def test_a_gateway_that_wants_to_be_left_alone_is_left_alone_by_calls_too(
    world: World, tiger: Tigercore, consented: TigerAccount, age: float
) -> None:
    world.clock.advance(age)
    world.client.fail(None, METHOD, RateLimited(METHOD, "slow down", retry_after=HOUR), times=100)
    for _ in range(8):
        try:
            await tiger.tokens.token_for(consented)
        except TigerCoreError:
            assert age > HOUR
        world.clock.advance(2)
    assert 1 == refreshes(world)


# -- a consent that was taken back -------------------------------------------------------------------------------


async def test_after_a_log_out_no_order_is_sent(world: World, tiger: Tigercore, consented: TigerAccount) -> None:
    await tiger.logins.log_out(consented)
    with pytest.raises(TokenNeedsReauthorisation, match="tigercore login"):
        await tiger.execute("PLACE_ORDER", {}, account=consented)
    assert ["oauth2_revoke"] == [method for _, method, _ in world.client.calls]


async def test_a_log_out_that_the_issuer_does_not_hear_of_is_one_here(
    world: World, tiger: Tigercore, consented: TigerAccount
) -> None:
    world.client.fail(None, "oauth2_revoke", NotProcessed("oauth2_revoke", "connection refused"))
    with pytest.raises(TokenManagerError, match="end the consent in the issuer's portal"):
        await tiger.logins.log_out(consented)
    [row] = await world.store.token_rows()
    assert (TokenState.NEEDS_REAUTH, None) == (row.state, row.sealed)
    assert AuditResult.FAILURE is (await world.store.audit())[-1].entry.result


async def test_an_account_that_signs_with_a_key_keeps_its_token_when_it_is_logged_out(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    with pytest.raises(AccountValidationError, match="signs with a key"):
        await tiger.logins.log_out(holder)
    assert TokenState.VALID is (await tiger.tokens.get_token_status(holder)).state


async def test_a_grant_that_has_run_out_is_ended_without_another(
    world: World, tiger: Tigercore, consented: TigerAccount
) -> None:
    world.clock.advance(2 * HOUR)
    await tiger.logins.log_out(consented)
    assert ["oauth2_revoke"] == [method for _, method, _ in world.client.calls]


async def test_no_refresh_brings_back_what_a_log_out_has_ended(
    world: World, tiger: Tigercore, consented: TigerAccount
) -> None:
    await tiger.logins.log_out(consented)
    assert not (await tiger.tokens.refresh_token(consented)).success
    assert TokenState.NEEDS_REAUTH is (await tiger.tokens.get_token_status(consented)).state
    [row] = await world.store.token_rows()
    assert row.sealed is None


# -- a store that is away ----------------------------------------------------------------------------------------


async def test_a_refresh_without_a_store_is_one_that_failed(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
    await tiger.tokens.refresh_token(holder)  # so that the next one asks the store about the last
    world.backend.broken = True
    assert not (await tiger.tokens.refresh_token(holder)).success


@pytest.mark.parametrize("error", [NotProcessed, OutcomeUnknown])
async def test_a_validation_without_a_gateway_is_one_that_failed(
    world: World, tiger: Tigercore, holder: TigerAccount, error: type[ClientError]
) -> None:
    world.client.fail(None, "accounts", error("accounts", "no answer"))
    assert (False, "accounts: no answer") == await tiger.tokens.validate_token(holder)


async def test_a_validation_without_a_store_is_one_that_failed(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    world.client.fail(None, "accounts", Unauthorized("accounts", "dead", code=401))
    world.backend.broken = True
    assert not (await tiger.tokens.validate_token(holder)).valid


# -- a verdict that nobody can give ------------------------------------------------------------------------------


async def test_an_access_token_that_lives_proves_nothing_of_the_refresh_token(
    world: World, tiger: Tigercore, consented: TigerAccount
) -> None:
    await lose_a_refresh(world, tiger, consented)
    world.clock.advance(TokenSettings().settle)
    await tiger.tokens.token_for(consented)
    assert [TokenRefreshStatus.LOST] == [each.status for each in await world.store.token_attempts()]


async def test_a_due_time_is_set_whoever_writes_the_token_meanwhile(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    at = world.clock.now() + timedelta(hours=1)
    async with world.open() as other:
        await other.tokens.schedule_token_refresh(holder)
        assert at == (await tiger.tokens.schedule_token_refresh(holder, at)).next_refresh_at
