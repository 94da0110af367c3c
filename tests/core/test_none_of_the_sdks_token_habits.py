"""What the vendor's SDK does with tokens and this does not (protocol 4A.7, 4A.8, 1.11), one test each.

| habit | test |
|---|---|
| a new token is kept only if a token file is there already (4A.7) | here |
| the file is written in place, without a lock (4A.7) | `tests/core/test_journal.py`, and the store's transactions |
| the escapes of the file are taken for its content (4A.7) | `tests/test_properties.py` |
| old and new token are logged (4A.7) | here |
| a refresh goes out with whatever token is at hand (4A.8) | here |
| errors are swallowed, and the raw reply is logged (4A.8) | here |
| an error shows the headers and parameters of its call (1.11) | here |
"""

from __future__ import annotations

import logging

import pytest

from tests.conftest import World, add, reopened
from tigercore import OperationType, OutcomeUnknown, Tigercore, TigerCoreError, TokenRefreshStatus, Unauthorized
from tigercore.testing._gateway import token_text


async def test_a_token_that_came_without_any_file_is_kept_when_it_is_refreshed(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
        before = await tiger.tokens.token_for(account)
        world.clock.advance(60)
        assert (True, None) == await tiger.tokens.refresh_token(account)
        fresh = await tiger.tokens.token_for(account)
    async with reopened(world) as tiger:
        assert fresh == await tiger.tokens.token_for(account)
    assert before != fresh


async def test_neither_the_old_token_nor_the_new_one_is_logged(
    world: World, tiger: Tigercore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    held = [await tiger.tokens.token_for(account)]
    for error in (None, Unauthorized("user_token_refresh", "dead", code=401), OutcomeUnknown("user_token_refresh", "")):
        if error is not None:
            world.client.fail(None, "user_token_refresh", error)
        world.clock.advance(120)
        await tiger.tokens.refresh_token(account)
        held.append(await _held(world, tiger))
    texts = {token.value.reveal() for token in held if token is not None}
    assert len(texts) >= 2
    assert [] == [each for each in caplog.messages for text in texts if text in each]


async def _held(world: World, tiger: Tigercore) -> object:
    [row] = await world.store.token_rows()
    return tiger.tokens._vault.open_token(row)


async def test_the_token_that_is_exchanged_is_the_newest_of_the_developer(world: World, tiger: Tigercore) -> None:
    one = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    world.clock.advance(60)
    fresh = token_text(world.clock.now())
    other = await add(tiger, license="TBHK", token=fresh)
    await tiger.tokens.refresh_token(one)
    sent = [each.token for each in world.client.gateway.arrivals if each.method == "user_token_refresh"]
    assert [fresh] == sent
    assert await tiger.tokens.token_for(one) == await tiger.tokens.token_for(other)


async def test_a_refresh_that_fails_is_told_and_recorded(world: World, tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    world.client.fail(None, "user_token_refresh", Unauthorized("user_token_refresh", "dead", code=401))
    success, why = await tiger.tokens.refresh_token(account)
    assert not success
    assert "dead" in str(why)
    assert [TokenRefreshStatus.REJECTED] == [each.status for each in await world.store.token_attempts()]


async def test_an_error_shows_neither_the_token_nor_the_parameters_of_its_call(world: World, tiger: Tigercore) -> None:
    account = await add(tiger, license="TBHK", token=token_text(world.clock.now()))
    token = await tiger.tokens.token_for(account)
    world.client.fail(None, "place_order", OutcomeUnknown("place_order", "no reply"))
    with pytest.raises(TigerCoreError) as caught:
        await tiger.execute(OperationType.PLACE_ORDER, {"symbol": "A-SYMBOL"}, account=account)
    assert token is not None
    assert token.value.reveal() not in f"{caught.value!r} {caught.value}"
    assert "A-SYMBOL" not in f"{caught.value!r} {caught.value}"
