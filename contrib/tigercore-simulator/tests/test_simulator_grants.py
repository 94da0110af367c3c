"""The grants of OAuth 2.0: refresh tokens that rotate, revocation, and what the oracle keeps of refreshes."""

from urllib.parse import urlencode

import pytest
import trio

from tigercore_simulator import Fault, Kind, Refused, Terms, open_simulator

DAY = 86_400


def error(reply):
    return reply[0], reply[1]["error"]


async def test_a_refresh_gives_new_tokens_with_the_same_scopes(app):
    first = await app.login(scope="api.quote:read")
    second = (await app.refresh(first))[1]
    names = ("access_token", "refresh_token", "scope")
    assert [True, True, False] == [first[name] != second[name] for name in names]


async def test_a_refresh_token_is_good_once(app):
    tokens = await app.login()
    await app.refresh(tokens)
    assert (400, "invalid_grant") == error(await app.refresh(tokens))


async def test_a_refresh_leaves_the_old_access_token_good(app):
    tokens = await app.login()
    await app.refresh(tokens)
    assert 200 == (await app.call(tokens, "accounts"))[0]


async def test_the_refresh_token_of_a_refresh_is_good(app):
    tokens = await app.login()
    for _ in range(3):
        status, tokens = await app.refresh(tokens)
    assert 200 == status


async def test_an_access_token_does_not_refresh(app):
    tokens = await app.login()
    reply = await app.refresh({"refresh_token": tokens["access_token"]})
    assert (400, "invalid_grant") == error(reply)


async def test_another_client_cannot_refresh(app):
    tokens = await app.login()
    await app.register()
    assert (400, "invalid_grant") == error(await app.refresh(tokens))


@pytest.mark.parametrize(("seconds", "expected"), [(15 * DAY - 1, 200), (15 * DAY, 400)])
async def test_a_refresh_token_lives_fifteen_days(app, clock, seconds, expected):
    tokens = await app.login()
    clock.move(seconds)
    assert expected == (await app.refresh(tokens))[0]


@pytest.mark.parametrize(("seconds", "expected"), [(29, 200), (30, 400)])
async def test_a_grace_keeps_the_old_refresh_token_good(clock, app_of, seconds, expected):
    async with open_simulator(developers=1, clock=clock, terms=Terms(refresh_grace=30)) as simulator:
        app = app_of(simulator)
        await app.register()
        tokens = await app.login()
        await app.refresh(tokens)
        clock.move(seconds)
        assert expected == (await app.refresh(tokens))[0]


async def test_a_grace_does_not_start_anew_with_each_use(clock, app_of):
    async with open_simulator(developers=1, clock=clock, terms=Terms(refresh_grace=30)) as simulator:
        app = app_of(simulator)
        await app.register()
        tokens = await app.login()
        for _ in range(3):
            status = (await app.refresh(tokens))[0]
            clock.move(20)
        assert 400 == status


@pytest.mark.parametrize("name", ["refresh_token", "access_token"])
async def test_a_revocation_ends_the_whole_grant(app, name):
    tokens = await app.login()
    status = (await app.form("revoke", token=tokens[name]))[0]
    rest = ((await app.call(tokens, "accounts"))[0], error(await app.refresh(tokens)))
    assert (200, (401, (400, "invalid_grant"))) == (status, rest)


async def test_a_revocation_of_an_unknown_token_succeeds(app):
    assert 200 == (await app.form("revoke", token="x"))[0]


async def test_another_client_revokes_nothing(app):
    tokens = await app.login()
    await app.register()
    await app.form("revoke", token=tokens["refresh_token"])
    assert 200 == (await app.call(tokens, "accounts"))[0]


async def test_the_portal_revokes_the_grants_of_one_developer(simulator, app):
    first = await app.login()
    second = await app.login(tiger_id=simulator.developers[1].tiger_id)
    simulator.revoke(simulator.developers[0])
    assert (401, 200) == ((await app.call(first, "accounts"))[0], (await app.call(second, "accounts"))[0])


async def test_a_refresh_of_oauth2_is_kept_under_its_client(simulator, app, clock):
    tokens = await app.login()
    clock.move(1)
    tokens = (await app.refresh(tokens))[1]
    await app.refresh(tokens)
    expected = [int(clock.now * 1000), int(clock.now * 1000) + 1]
    assert expected == simulator.oracle.refreshes[app.client_id].generations


async def test_a_refused_refresh_of_oauth2_is_kept_with_its_generation(simulator, app, clock):
    tokens = await app.login()
    minted = int(clock.now * 1000)
    await app.refresh(tokens)
    await app.refresh(tokens)
    assert [Refused(minted, "invalid_grant")] == simulator.oracle.refreshes[app.client_id].refused


async def test_a_refresh_of_oauth2_that_hangs_is_in_flight(simulator, app, caller):
    tokens = await app.login()
    simulator.faults.add(Fault(Kind.HANG, method="oauth2_refresh", tiger_id=simulator.developers[0].tiger_id))
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": app.client_id}
    http = await caller.connect()
    async with http.stream:
        await http.send("POST", "/oauth2/token", urlencode(fields).encode())
        with trio.fail_after(5):
            while simulator.faults.active:
                await app.ask("GET", "/admin/faults")
        assert 1 == simulator.oracle.refreshes[app.client_id].in_flight
