"""The issuer of OAuth 2.0: metadata, registration, token requests that are wrong, and faults."""

import pytest

from tigercore_simulator import Fault, Kind

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ALL = "api.account:read api.quote:read api.trade:read api.trade:write"


def error(reply):
    return reply[0], reply[1]["error"]


async def test_the_metadata_names_the_endpoints_and_the_scopes(simulator, app):
    status, metadata = await app.ask("GET", "/oauth2/.well-known/oauth-authorization-server")
    url = simulator.issuer.url
    named = {name: metadata[name].removeprefix(url) for name in metadata if name.endswith("endpoint")}
    expected = {
        "authorization_endpoint": "/authorize",
        "token_endpoint": "/token",
        "registration_endpoint": "/register",
        "device_authorization_endpoint": "/device",
        "revocation_endpoint": "/revoke",
    }
    assert (200, url, expected, ALL.split()) == (status, metadata["issuer"], named, metadata["scopes_supported"])


async def test_the_issuer_stands_beside_the_gateway(simulator):
    assert simulator.url.removesuffix("/gateway") + "/oauth2" == simulator.issuer.url


async def test_another_path_of_the_issuer_is_unknown(app):
    assert 404 == (await app.ask("GET", "/oauth2/else"))[0]


async def test_a_client_is_registered_without_a_secret(app, clock):
    status, reply = await app.register()
    told = (reply["client_id_issued_at"], reply["token_endpoint_auth_method"], reply["scope"])
    assert (201, (int(clock.now), "none", ALL), False) == (status, told, "client_secret" in reply)


async def test_two_registrations_are_two_clients(app):
    first = app.client_id
    assert first != (await app.register())[1]["client_id"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"redirect_uris": ["https://example.com/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://example.com/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": "http://127.0.0.1/callback"}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://[::/callback"]}, "invalid_redirect_uri"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
    ],
)
async def test_a_client_of_another_kind_is_not_registered(app, changes, says):
    assert (400, says) == error(await app.register(**changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100_000])
async def test_a_registration_that_is_no_object_is_denied(app, body):
    assert (400, "invalid_client_metadata") == error(await app.ask("POST", "/oauth2/register", body))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": "authorization_code"}, (400, "invalid_request")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request")),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, (400, "invalid_grant")),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": "nobody"}, (401, "invalid_client")),
        ({"grant_type": DEVICE}, (400, "invalid_request")),
        ({"grant_type": DEVICE, "device_code": "x"}, (400, "invalid_grant")),
    ],
)
async def test_a_token_request_that_is_wrong_is_denied(app, fields, says):
    assert says == error(await app.form("token", **fields))


async def test_a_form_that_is_no_text_is_denied(app):
    assert (400, "invalid_request") == error(await app.ask("POST", "/oauth2/token", b"\xff=1"))


async def test_a_reply_of_the_issuer_bears_the_date_of_its_clock(app):
    await app.login()
    assert ("Tue, 17 Mar 2026 16:00:00 GMT", "no-store") == (
        app.http.header("Date"),
        app.http.header("Cache-Control"),
    )


async def test_a_fault_of_the_refresh_leaves_other_token_requests_alone(simulator, app):
    simulator.faults.add(Fault(Kind.HTTP_5XX, method="oauth2_refresh"))
    tokens = await app.login()
    assert 503 == (await app.refresh(tokens))[0]


@pytest.mark.parametrize(
    ("method", "verb", "path"),
    [
        ("oauth2_metadata", "GET", "/oauth2/.well-known/oauth-authorization-server"),
        ("oauth2_register", "POST", "/oauth2/register"),
        ("oauth2_device", "POST", "/oauth2/device"),
        ("oauth2_token", "POST", "/oauth2/token"),
        ("oauth2_revoke", "POST", "/oauth2/revoke"),
    ],
)
async def test_a_fault_meets_each_endpoint_by_its_name(simulator, app, method, verb, path):
    simulator.faults.add(Fault(Kind.HTTP_5XX, method=method, status=599))
    assert 599 == (await app.ask(verb, path))[0]
