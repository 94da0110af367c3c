"""Who consents to a client of OAuth 2.0, and what they answer."""

import json

import pytest

from tigercore_simulator import Answer, Consent


def error(reply):
    return reply[0], reply[1]["error"]


def accounts_of(simulator, index):
    return list(simulator.developers[index].accounts)


async def accounts(app, tokens):
    return [row["account"] for row in (await app.call(tokens, "accounts"))[1]["data"]["items"]]


async def test_where_a_person_is_asked_the_page_has_buttons_and_no_redirect(simulator, app):
    simulator.issuer.consent = Consent(answer=Answer.ASK)
    status, page = await app.visit(**app.query(state='"><script>'))
    told = (app.http.header("Location"), "allow</button>" in page, "<script>" in page)
    assert (200, (None, True, False)) == (status, told)


async def test_where_a_person_is_asked_their_button_decides(simulator, app):
    simulator.issuer.consent = Consent(answer=Answer.ASK)
    assert "code" in await app.authorize(consent="allow")


async def test_where_a_person_is_asked_a_visit_allows_no_device(simulator, app, device):
    simulator.issuer.consent = Consent(answer=Answer.ASK)
    await app.visit("verify", user_code=device["user_code"])
    assert (400, "authorization_pending") == error(await app.poll(device))


async def test_a_person_without_a_code_is_asked_for_it(app):
    assert 'name="user_code"' in (await app.visit("verify"))[1]


async def test_a_login_belongs_to_the_first_developer(simulator, app):
    tokens = await app.login()
    assert accounts_of(simulator, 0) == await accounts(app, tokens)


async def test_a_login_belongs_to_the_developer_in_the_query(simulator, app):
    tokens = await app.login(tiger_id=simulator.developers[2].tiger_id)
    assert accounts_of(simulator, 2) == await accounts(app, tokens)


async def test_a_login_belongs_to_the_developer_who_sits_at_the_browser(simulator, app):
    simulator.issuer.consent = Consent(simulator.developers[1].tiger_id)
    tokens = await app.login()
    assert accounts_of(simulator, 1) == await accounts(app, tokens)


async def test_a_device_belongs_to_the_developer_in_the_query(simulator, app, device):
    await app.visit("verify", user_code=device["user_code"], tiger_id=simulator.developers[2].tiger_id)
    assert accounts_of(simulator, 2) == await accounts(app, (await app.poll(device))[1])


async def test_the_admin_says_who_sits_at_the_browser(simulator, app):
    wanted = {"tiger_id": simulator.developers[1].tiger_id, "answer": "deny", "scopes": ["api.quote:read"]}
    status, told = await app.ask("POST", "/admin/consent", json.dumps(wanted).encode())
    assert (200, wanted, wanted) == (status, told, (await app.ask("GET", "/admin/consent"))[1])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([], "a consent is a JSON object"),
        ({"colour": 1}, "a consent has no field colour"),
        ({"answer": "perhaps"}, "'perhaps' is not a valid Answer"),
        ({"scopes": ["api.money:take"]}, "'scopes' are some of"),
        ({"scopes": "api.quote:read"}, "'scopes' are some of"),
        ({"tiger_id": 1}, "tiger_id"),
    ],
)
async def test_the_admin_refuses_a_malformed_consent(app, wanted, says):
    status, told = await app.ask("POST", "/admin/consent", json.dumps(wanted).encode())
    assert (400, True) == (status, says in told["error"])
