"""A consent that was taken back stays so, whatever other processes, the journal or a late reply bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.conftest import World, given
from tests.core.processes import killed_before_its_commit, process, refresh_while_the_store_is_away, timed_world
from tigercore import NotProcessed, TigerAccount, Tigercore, TokenManagerError, TokenRefreshError, TokenState
from tigercore.grant import Grant
from tigercore.model import Secret
from tigercore.ports import Put, TokenRow

REVOKE = "oauth2_revoke"
LEASE = 60.0
HOUR = 3600.0


@pytest.fixture
def world() -> World:
    return timed_world()


async def consent(world: World, tiger: Tigercore, grant: Grant | None = None) -> TigerAccount:
    """Add an account that lives by a grant of an hour."""
    now = world.clock.now()
    grant = grant or Grant(
        "http://127.0.0.1:1", "client-1", Secret("one"), Secret("two"), "all", now, now + timedelta(hours=1)
    )
    signing = {name: value for name, value in given().items() if name not in ("tiger_id", "private_key")}
    return await tiger.accounts.create_account(**signing, authentication="OAUTH2", token=grant.token().value)


async def rows(world: World) -> Sequence[tuple[TokenState, bytes | None]]:
    return [(row.state, row.sealed) for row in await world.store.token_rows()]


def late(tiger: Tigercore) -> None:
    """Let a process hear nothing of what others write."""
    tiger.tokens._snapshot.fall_behind = lambda: None  # type: ignore[method-assign]


ENDED = (TokenState.NEEDS_REAUTH, None)


async def test_nobody_is_logged_out_while_another_process_refreshes(world: World, autojump_clock: MockClock) -> None:
    async with process(world, 1) as daemon, process(world, 2) as command:
        account = await consent(world, daemon)
        await wait_all_tasks_blocked()
        world.client.latency = 2.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.tokens.refresh_token, account)
            await wait_all_tasks_blocked()
            with pytest.raises(TokenRefreshError, match="try again in a minute"):
                await command.logins.log_out(account)
        await command.logins.log_out(account)
    assert [ENDED] == await rows(world)


async def test_a_token_that_the_store_could_not_take_yet_does_not_undo_a_log_out(
    world: World, autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with process(world, 1, tmp_path / "j") as tiger:
        account = await consent(world, tiger)
        await tiger.tokens.refresh_token(account)  # which makes the journal
        await refresh_while_the_store_is_away(world, tiger, account)
        await trio.sleep(40)  # the keeper waits for half a minute at a time by now
        world.clock.advance(2 * LEASE)
        world.client.latency, world.backend.broken = 0.0, False
        await tiger.logins.log_out(account)
        await trio.sleep(60)
    assert [ENDED] == await rows(world)


async def test_a_journal_of_the_dead_does_not_undo_a_log_out(
    world: World, mock_clock: MockClock, tmp_path: Path
) -> None:
    async with process(world, 1, tmp_path / "j") as dying:
        account = await consent(world, dying)
        await killed_before_its_commit(world, dying, account, mock_clock)
    world.clock.advance(2 * LEASE)
    async with process(world, 2) as command:
        await command.logins.log_out(account)
    async with process(world, 3, tmp_path / "j") as heir:
        await heir.tokens._source._refresher._keeper.adopt()
    assert [ENDED] == await rows(world)


async def test_a_refresh_that_did_not_wait_for_a_slow_issuer_does_not_undo_a_log_out(
    world: World, autojump_clock: MockClock
) -> None:
    call = world.client.call

    async def slow(*asked: object) -> object:
        world.client.latency = 7.0 if len(world.client.calls) == 0 else 4.0
        return await call(*asked)  # type: ignore[arg-type]

    async with process(world, 1) as tiger:
        account = await consent(world, tiger)
        world.clock.advance(HOUR - 200)
        world.client.call = slow  # type: ignore[assignment,method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tiger.logins.log_out, account)
            await wait_all_tasks_blocked()
            nursery.start_soon(tiger.tokens.refresh_token, account)
        await trio.sleep(30)
    assert [ENDED] == await rows(world)


async def test_the_grant_of_now_is_revoked_and_not_one_of_before(world: World, autojump_clock: MockClock) -> None:
    async with process(world, 1) as daemon, process(world, 2) as command:
        account = await consent(world, daemon)
        await wait_all_tasks_blocked()
        late(command)
        await daemon.tokens.refresh_token(account)
        token = await daemon.tokens.token_for(account)
        await command.logins.log_out(account)
    assert token is not None
    revoked = [arrival.token for arrival in world.client.gateway.arrivals if arrival.method == REVOKE]
    assert [Grant.of(token).refresh_token.reveal()] == revoked


async def test_an_account_that_others_have_just_added_to_the_grant_loses_it_too(
    world: World, autojump_clock: MockClock
) -> None:
    async with process(world, 1) as daemon, process(world, 2) as command:
        account = await consent(world, daemon)
        await wait_all_tasks_blocked()
        late(command)
        token = await daemon.tokens.token_for(account)
        assert token is not None
        await consent(world, daemon, Grant.of(token))
        world.client.fail(None, REVOKE, NotProcessed(REVOKE, "connection refused"))
        with pytest.raises(TokenManagerError, match="portal"):
            await command.logins.log_out(account)
    assert [ENDED, ENDED] == await rows(world)


async def test_a_grant_that_cannot_be_opened_is_deleted(world: World) -> None:
    async with process(world, 1) as tiger:
        account = await consent(world, tiger)
        [row] = await world.store.token_rows()
        await world.store.apply([Put(attrs.evolve(row, sealed=b"damaged"))])
        with pytest.raises(TokenManagerError, match="portal"):
            await tiger.logins.log_out(account)
    assert [ENDED] == await rows(world)


async def test_who_logs_in_again_has_a_grant_again(world: World) -> None:
    async with process(world, 1) as tiger:
        account = await consent(world, tiger)
        await tiger.logins.log_out(account)
        world.clock.advance(1)
        await tiger.logins.log_in_again(account, lambda prompt: None)
        assert (await tiger.tokens.refresh_token(account)).success
        [row] = await world.store.token_rows()
    assert isinstance(row, TokenRow)
    assert TokenState.VALID is row.state
