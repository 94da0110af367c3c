"""The gateway for clients of OAuth 2.0, who bear an access token and sign nothing."""

import pytest

from tigercore_simulator import Done, Fault, Kind, Terms, open_simulator


@pytest.fixture
async def tokens(app):
    return await app.login()


async def test_a_bearer_is_answered_without_a_signature(app, tokens):
    status, reply = await app.call(tokens, "user_license")
    assert (200, 0, {"license": "TBSG"}) == (status, reply["code"], reply["data"])


async def test_an_unknown_access_token_is_status_401(app):
    assert 401 == (await app.call({"access_token": "x"}, "user_license"))[0]


async def test_a_refresh_token_is_no_access_token(app, tokens):
    assert 401 == (await app.call({"access_token": tokens["refresh_token"]}, "user_license"))[0]


@pytest.mark.parametrize(("seconds", "expected"), [(3599, 200), (3600, 401)])
async def test_an_access_token_lives_an_hour(app, tokens, clock, seconds, expected):
    clock.move(seconds)
    assert expected == (await app.call(tokens, "user_license"))[0]


async def test_an_access_token_lives_as_long_as_it_is_told(clock, app_of):
    async with open_simulator(developers=1, clock=clock, terms=Terms(access_life=60)) as simulator:
        app = app_of(simulator)
        await app.register()
        tokens = await app.login()
        clock.move(60)
        assert (60, 401) == (tokens["expires_in"], (await app.call(tokens, "user_license"))[0])


async def test_a_refreshed_access_token_is_answered(app, tokens, clock):
    clock.move(3600)
    assert 200 == (await app.call((await app.refresh(tokens))[1], "user_license"))[0]


METHODS = [
    ("brief", "api.quote:read"),
    ("market_state", "api.quote:read"),
    ("prime_assets", "api.account:read"),
    ("accounts", "api.account:read"),
    ("positions", "api.trade:read"),
    ("orders", "api.trade:read"),
    ("place_order", "api.trade:write"),
    ("modify_order", "api.trade:write"),
    ("cancel_order", "api.trade:write"),
    ("order_no", "api.trade:write"),
]
SCOPES = sorted({scope for _, scope in METHODS})


@pytest.mark.parametrize(("method", "scope"), METHODS)
async def test_a_method_without_its_scope_is_status_403(app, method, scope):
    tokens = await app.login(scope=" ".join(each for each in SCOPES if each != scope))
    status, reply = await app.call(tokens, method)
    assert (403, 4000, f"permission denied(insufficient scope: {scope})") == (status, reply["code"], reply["message"])


@pytest.mark.parametrize(("method", "scope"), METHODS)
async def test_a_method_with_its_scope_alone_is_not_status_403(simulator, app, method, scope):
    tokens = await app.login(scope=scope)
    params = {"account": simulator.developers[0].paper_account, "symbols": ["AAPL"]}
    assert 200 == (await app.call(tokens, method, params))[0]


async def test_an_account_that_was_not_granted_is_status_403(simulator, app, tokens):
    foreign = simulator.developers[1].paper_account
    assert 403 == (await app.call(tokens, "positions", {"account": foreign}))[0]


async def test_a_bearer_cannot_refresh_a_tbhk_token(simulator, app):
    tokens = await app.login(tiger_id=simulator.developers[1].tiger_id)
    assert (200, 1000) == ((reply := await app.call(tokens, "user_token_refresh"))[0], reply[1]["code"])


async def test_a_bearer_of_a_tbhk_developer_needs_no_other_token(simulator, app):
    tokens = await app.login(tiger_id=simulator.developers[1].tiger_id)
    assert {"license": "TBHK"} == (await app.call(tokens, "user_license"))[1]["data"]


async def test_with_a_signature_the_header_is_read_as_a_tbhk_token(app, token_caller, tokens):
    headers = f"Authorization: Bearer {tokens['access_token']}\r\n"
    _, got = await token_caller.post(token_caller.body("user_license"), headers)
    assert b'"code":2400' in got


async def test_without_a_signature_and_without_a_bearer_there_is_nobody(app):
    reply = await app.ask("POST", "/gateway", app.body("user_license"))
    assert (200, "common param error(tigerId null is illegal)") == (reply[0], reply[1]["message"])


async def test_a_bearer_with_a_malformed_envelope_is_code_1000(app, tokens):
    status, reply = await app.call(tokens, "user_license", {}, timestamp="now")
    assert (200, 1000) == (status, reply["code"])


async def test_the_oracle_counts_what_a_bearer_executed_as_the_developers(simulator, app, tokens):
    await app.call(tokens, "user_license")
    assert {Done(simulator.developers[0].tiger_id, None, "user_license"): 1} == simulator.oracle.executed


async def test_a_bearer_shares_the_limits_of_the_developer(app, tokens, caller):
    for _ in range(10):
        await caller.call("user_license")
    assert 429 == (await app.call(tokens, "user_license"))[0]


async def test_a_fault_meets_a_bearer_by_the_developer(simulator, app, tokens):
    simulator.faults.add(Fault(Kind.HTTP_5XX, tiger_id=simulator.developers[1].tiger_id))
    simulator.faults.add(Fault(Kind.HTTP_5XX, tiger_id=simulator.developers[0].tiger_id, status=502))
    assert 502 == (await app.call(tokens, "user_license"))[0]


async def test_a_bad_access_token_is_told_whatever_refuses(simulator, app):
    simulator.faults.add(Fault(Kind.HTTP_5XX))
    assert 401 == (await app.call({"access_token": "x"}, "user_license"))[0]
