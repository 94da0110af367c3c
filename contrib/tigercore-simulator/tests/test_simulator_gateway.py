"""The envelope, the signature, the token and the limits, over the wire."""

import base64
import json

import pytest

from tigercore_simulator import Done, open_simulator


async def refused(caller, body, headers=None):
    status, got = await caller.post(body, headers)
    reply = json.loads(got)
    return status, reply["code"], reply["message"]


async def test_a_signed_request_is_answered(caller):
    assert await caller.data("user_license") == {"license": "TBSG"}


async def test_a_reply_carries_the_moment_of_the_clock(caller, clock):
    assert int(clock.now * 1000) == (await caller.call("user_license"))["timestamp"]


@pytest.mark.parametrize("offset", [-3600.0, 0.0, 0.25, 3600.0])
async def test_a_gateway_whose_clock_differs_stamps_its_replies_with_its_own(clock, caller_of, offset):
    async with open_simulator(developers=1, clock=clock, clock_offset=offset) as simulator:
        reply = await caller_of(simulator, simulator.developers[0]).call("user_license")
        assert int((clock.now + offset) * 1000) == reply["timestamp"]


async def test_a_gateway_whose_clock_differs_stamps_its_tokens_with_its_own(clock, caller_of):
    async with open_simulator(licenses=("TBHK",), clock=clock, clock_offset=3600.0) as simulator:
        data = await caller_of(simulator, simulator.developers[0]).data("user_token_refresh")
        assert int((clock.now + 3600) * 1000) + 1 == data["createTime"]


async def test_a_reply_is_not_signed_by_default(caller):
    assert "sign" not in await caller.call("user_license")


async def test_text_beyond_ascii_is_signed_unescaped(caller):
    reply = await caller.paper("orders", symbol="茅台")
    assert reply["code"] == 0


async def test_a_body_changed_after_signing_is_refused(caller):
    body = caller.body("user_license").replace(b"user_license", b"kline_quota_")
    status, code, message = await refused(caller, body)
    assert (status, code, "failed to verify signature" in message) == (200, 1000, True)


async def test_a_request_without_a_signature_is_refused(caller):
    fields = json.loads(caller.body("user_license"))
    del fields["sign"]
    assert (await refused(caller, json.dumps(fields).encode()))[1] == 1000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"timestamp": "2026-03-17T12:00:00"}, "time parse error"),
        ({"timestamp": "2026-3-17 12:00:00"}, "time parse error"),
        ({"timestamp": ""}, "'timestamp' cannot be empty"),
        ({"tiger_id": ""}, "tigerId null is illegal"),
        ({"tiger_id": "abc"}, "public key error"),
        ({"tiger_id": "99999999"}, "failed to get developer information"),
        ({"tiger_id": "12345678901"}, "'tiger_id' is too long"),
        ({"charset": "GBK"}, "'charset'"),
        ({"sign_type": "RSA2"}, "'sign_type'"),
        ({"device_id": ""}, "get device information error"),
        ({"method": "unheard_of"}, "the current requested method does not support"),
    ],
)
async def test_a_malformed_envelope_is_code_1000(caller, changes, says):
    status, code, message = await refused(caller, caller.body("user_license", **changes))
    assert (status, code, says in message) == (200, 1000, True)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'"text"', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_request_is_code_1000(caller, body):
    assert (await refused(caller, body))[:2] == (200, 1000)


@pytest.mark.parametrize("content", ["{", "[]", "1"])
async def test_parameters_that_are_no_object_are_code_1010(caller, content):
    assert (await refused(caller, caller.body("accounts", biz_content=content)))[1] == 1010


async def test_the_same_request_may_be_sent_twice(caller):
    body = caller.body("user_license")
    await caller.post(body)
    assert b'"code":0' in (await caller.post(body))[1]


@pytest.mark.parametrize("version", ["1.0", "2.0", "3.0"])
async def test_every_version_is_accepted(caller, version):
    assert (await caller.call("user_license", version=version))["code"] == 0


async def test_an_account_of_another_developer_is_refused(simulator, caller):
    foreign = simulator.developers[1].paper_account
    reply = await caller.call("positions", {"account": foreign})
    assert (reply["code"], "unauthorized:Please login in" in reply["message"]) == (1200, True)


async def test_a_missing_account_is_refused(caller):
    assert (await caller.call("positions", {}))["code"] == 1010


async def test_an_account_that_is_no_number_is_refused(caller):
    assert (await caller.call("positions", {"account": "DU575569"}))["code"] == 1010


async def test_accounts_lists_the_prime_and_the_paper_account(caller):
    rows = (await caller.data("accounts", {}))["items"]
    assert [row["accountType"] for row in rows] == ["STANDARD", "PAPER"]


async def test_a_request_over_its_limit_is_code_5_at_status_429(caller):
    body = caller.body("user_license")
    for _ in range(10):
        await caller.post(body)
    expected = "rate limit error(current limiting interface:user_license, up to 10 times per minute)"
    assert (429, 5, expected) == await refused(caller, body)


async def test_a_minute_later_the_limit_is_free_again(caller, clock):
    for _ in range(11):
        await caller.call("user_license")
    clock.move(60)
    assert (await caller.call("user_license"))["code"] == 0


async def test_a_request_with_a_wrong_signature_spends_no_limit(simulator, caller, caller_of):
    thief = caller_of(simulator, simulator.developers[2])
    for _ in range(11):
        await thief.call("user_license", tiger_id=caller.developer.tiger_id)
    assert (await caller.call("user_license"))["code"] == 0


async def test_a_developer_with_a_token_needs_it(token_caller):
    status, code, message = await refused(token_caller, token_caller.body("user_license"), "")
    assert (status, code, "can not be empty" in message) == (200, 2400, True)


async def test_a_refresh_returns_the_new_token(simulator, token_caller):
    data = await token_caller.data("user_token_refresh")
    assert simulator.token(token_caller.developer) == data["token"]


async def test_a_refresh_kills_the_old_token_at_once(token_caller):
    old = token_caller.headers()
    await token_caller.data("user_token_refresh")
    assert (await refused(token_caller, token_caller.body("user_license"), old))[1] == 2400


async def test_an_expired_token_cannot_be_refreshed(token_caller, clock):
    clock.move(31 * 86_400)
    assert (await token_caller.call("user_token_refresh"))["code"] == 2400


async def test_a_licence_without_tokens_refreshes_none(caller):
    assert (await caller.call("user_token_refresh"))["code"] == 1000


async def test_a_rotation_elsewhere_changes_the_token(simulator, token_caller):
    old = token_caller.headers()
    simulator.rotate_token(token_caller.developer)
    assert (await refused(token_caller, token_caller.body("user_license"), old))[1] == 2400


async def test_any_device_may_quote_while_nobody_has_grabbed(caller):
    caller.device = "11:22:33:44:55:66"
    assert (await caller.call("brief", {"symbols": ["AAPL"]}))["code"] == 0


async def test_a_device_loses_its_quotes_to_the_one_that_grabs(caller):
    await caller.data("grab_quote_permission")
    caller.device = "11:22:33:44:55:66"
    reply = await caller.call("brief", {"symbols": ["AAPL"]})
    assert (reply["code"], "current device does not have permission" in reply["message"]) == (4, True)


async def test_the_last_device_to_grab_has_the_quotes(caller):
    await caller.data("grab_quote_permission")
    caller.device = "11:22:33:44:55:66"
    await caller.data("grab_quote_permission")
    assert (await caller.call("brief", {"symbols": ["AAPL"]}))["code"] == 0


async def test_a_device_without_quotes_still_trades(caller):
    await caller.data("grab_quote_permission")
    caller.device = "11:22:33:44:55:66"
    assert (await caller.paper("positions"))["code"] == 0


async def test_the_limits_are_told(caller):
    effective = (await caller.data("addon_entitlements"))["effectiveEntitlement"]
    assert tuple(effective[name] for name in ("highFreqLimit", "midFreqLimit", "lowFreqLimit")) == (120, 60, 10)


async def test_the_oracle_counts_what_was_executed(simulator, caller):
    await caller.paper("positions")
    done = Done(caller.developer.tiger_id, caller.developer.paper_account, "positions")
    assert {done: 1} == simulator.oracle.executed


async def test_the_oracle_does_not_count_what_was_refused_as_executed(simulator, caller):
    await caller.call("positions", {})
    assert (simulator.oracle.count(), sum(simulator.oracle.refused.values())) == (0, 1)


async def test_the_oracle_counts_accepted_refreshes(simulator, token_caller):
    await token_caller.data("user_token_refresh")
    assert {token_caller.developer.tiger_id: 1} == simulator.oracle.token_refreshes


async def test_a_signed_reply_covers_the_timestamp_of_the_request(clock, caller_of):
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    async with open_simulator(developers=1, clock=clock, sign_replies=True) as simulator:
        caller = caller_of(simulator, simulator.developers[0])
        reply = await caller.call("user_license")
        key = serialization.load_der_public_key(base64.b64decode(simulator.public_key))
        sign = base64.b64decode(reply["sign"])
        key.verify(sign, caller.timestamp.encode(), padding.PKCS1v15(), hashes.SHA1())


def identities(simulator):
    return [(each.tiger_id, each.accounts, each.license) for each in simulator.developers]


async def test_the_same_seed_makes_the_same_developers(clock):
    async with open_simulator(seed=5, clock=clock) as one, open_simulator(seed=5, clock=clock) as two:
        first, second = map(identities, (one, two))
        assert first == second


async def test_a_grace_keeps_the_old_token_good(clock, caller_of):
    async with open_simulator(licenses=("TBHK",), clock=clock, token_grace=30.0) as simulator:
        caller = caller_of(simulator, simulator.developers[0])
        old = caller.headers()
        await caller.data("user_token_refresh")
        assert b'"code":0' in (await caller.post(caller.body("user_license"), old))[1]


async def test_accounts_have_the_lengths_of_the_broker(simulator):
    lengths = {tuple(map(len, each.accounts)) for each in simulator.developers}
    assert {(8, 17)} == lengths


async def test_more_developers_leave_the_first_ones_as_they_are(clock):
    async with open_simulator(developers=2, clock=clock) as few, open_simulator(developers=4, clock=clock) as more:
        assert identities(few) == identities(more)[:2]


async def test_what_the_block_raises_leaves_it_as_it_was(clock):
    with pytest.raises(KeyError):
        async with open_simulator(developers=1, clock=clock):
            raise KeyError
