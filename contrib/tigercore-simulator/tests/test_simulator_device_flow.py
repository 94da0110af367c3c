"""The device flow of OAuth 2.0."""

from tigercore_simulator import Terms, open_simulator

ALL = "api.account:read api.quote:read api.trade:read api.trade:write"


def error(reply):
    return reply[0], reply[1]["error"]


async def test_a_device_is_told_where_to_send_the_person(simulator, device):
    url = f"{simulator.issuer.url}/verify"
    expected = (url, f"{url}?user_code={device['user_code']}", 600)
    assert expected == (device["verification_uri"], device["verification_uri_complete"], device["expires_in"])


async def test_a_device_is_told_no_interval_as_with_the_broker(device):
    assert "interval" not in device


async def test_a_device_waits_until_the_person_has_decided(app, device):
    assert (400, "authorization_pending") == error(await app.poll(device))


async def test_a_device_gets_its_tokens_once_the_person_has_been_there(app, device):
    await app.visit("verify", user_code=device["user_code"].lower())
    status, tokens = await app.poll(device)
    assert (200, ALL) == (status, tokens["scope"])


async def test_a_device_code_is_good_once(app, device):
    await app.visit("verify", user_code=device["user_code"])
    await app.poll(device)
    assert (400, "invalid_grant") == error(await app.poll(device))


async def test_a_person_may_deny_a_device(app, device):
    await app.visit("verify", user_code=device["user_code"], consent="deny")
    assert (400, "access_denied") == error(await app.poll(device))


async def test_a_person_decides_once(app, device):
    await app.visit("verify", user_code=device["user_code"], consent="deny")
    assert 400 == (await app.visit("verify", user_code=device["user_code"]))[0]


async def test_a_device_that_polls_too_fast_is_slowed_down(app, device, clock):
    await app.poll(device)
    clock.move(4)
    assert (400, "slow_down") == error(await app.poll(device))


async def test_a_device_that_was_slowed_down_waits_five_seconds_more(app, device, clock):
    said = []
    for seconds in (0, 0, 9, 15):
        clock.move(seconds)
        said.append((await app.poll(device))[1]["error"])
    assert ["authorization_pending", "slow_down", "slow_down", "authorization_pending"] == said


async def test_a_device_that_keeps_its_pace_is_not_slowed_down(app, device, clock):
    said = set()
    for _ in range(3):
        said.add((await app.poll(device))[1]["error"])
        clock.move(5)
    assert {"authorization_pending"} == said


async def test_a_device_is_told_the_interval_that_is_set(clock, app_of):
    async with open_simulator(developers=1, clock=clock, terms=Terms(interval=1)) as simulator:
        app = app_of(simulator)
        await app.register()
        assert 1 == (await app.form("device"))[1]["interval"]


async def test_a_device_code_expires(app, device, clock):
    clock.move(600)
    assert (400, "expired_token") == error(await app.poll(device))


async def test_a_person_who_comes_too_late_decides_nothing(app, device, clock):
    clock.move(600)
    assert 400 == (await app.visit("verify", user_code=device["user_code"]))[0]


async def test_a_device_code_of_another_client_is_denied(app, device):
    await app.register()
    assert (400, "invalid_grant") == error(await app.poll(device))
