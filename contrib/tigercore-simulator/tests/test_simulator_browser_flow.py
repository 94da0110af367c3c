"""The browser flow of OAuth 2.0, with PKCE."""

import pytest

from tigercore_simulator import Consent

ALL = "api.account:read api.quote:read api.trade:read api.trade:write"


def error(reply):
    return reply[0], reply[1]["error"]


async def test_the_browser_comes_back_with_a_code_and_the_state(app):
    told = await app.authorize()
    assert ("s t&t", True) == (told["state"], told["code"].startswith("code-"))


async def test_a_redirect_may_go_to_any_port_of_this_machine(app):
    app.redirect_uri = "http://127.0.0.1:1/callback"
    assert "code" in await app.authorize()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1/else", "http://example.com/callback", "", "http://[::"])
async def test_a_redirect_that_was_not_registered_goes_nowhere(app, uri):
    reply = await app.visit(**app.query(redirect_uri=uri))
    assert ((400, "invalid_request"), None) == (error(reply), app.http.header("Location"))


async def test_an_unknown_client_is_not_redirected(app):
    assert (401, "invalid_client") == error(await app.visit(**app.query(client_id="nobody")))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"scope": "api.quote:read api.money:take"}, "invalid_scope"),
        ({"consent": "deny"}, "access_denied"),
        ({"tiger_id": "1"}, "invalid_request"),
    ],
)
async def test_what_is_wrong_with_a_request_is_told_through_the_redirect(app, changes, says):
    told = await app.authorize(**changes)
    assert (says, "s t&t") == (told["error"], told["state"])


async def test_a_parameter_that_comes_twice_is_denied(app):
    assert (400, "invalid_request") == error(await app.ask("GET", "/oauth2/authorize?client_id=a&client_id=b"))


async def test_a_code_is_exchanged_for_tokens(app):
    tokens = await app.login()
    assert ("Bearer", 3600, ALL) == (tokens["token_type"], tokens["expires_in"], tokens["scope"])


async def test_only_the_scopes_that_are_asked_for_are_granted(app):
    assert "api.quote:read" == (await app.login(scope="api.quote:read"))["scope"]


async def test_a_person_may_grant_less_than_is_asked_for(simulator, app):
    simulator.issuer.consent = Consent(scopes=["api.account:read", "api.quote:read"])
    assert "api.quote:read" == (await app.login(scope="api.quote:read api.trade:write"))["scope"]


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "code-0"},
        {"code_verifier": "w" * 43},
        {"redirect_uri": "http://127.0.0.1:2/callback"},
    ],
)
async def test_a_code_that_does_not_fit_is_denied(app, changes):
    assert (400, "invalid_grant") == error(await app.redeem(**({"code": (await app.authorize())["code"]} | changes)))


@pytest.mark.parametrize(("length", "expected"), [(42, 400), (43, 200), (128, 200), (129, 400)])
async def test_a_verifier_has_from_43_to_128_characters(app, length, expected):
    app.verifier = "v" * length
    assert expected == (await app.redeem((await app.authorize())["code"]))[0]


async def test_a_code_of_another_client_is_denied(app, app_of, simulator):
    other = app_of(simulator)
    await other.register()
    assert (400, "invalid_grant") == error(await other.redeem((await app.authorize())["code"]))


async def test_a_code_is_good_for_a_minute(app, clock):
    code = (await app.authorize())["code"]
    clock.move(60)
    assert (400, "invalid_grant") == error(await app.redeem(code))


async def test_a_code_that_comes_twice_ends_what_it_gave(app):
    code = (await app.authorize())["code"]
    tokens = (await app.redeem(code))[1]
    again = error(await app.redeem(code))
    assert ((400, "invalid_grant"), 401) == (again, (await app.call(tokens, "accounts"))[0])
