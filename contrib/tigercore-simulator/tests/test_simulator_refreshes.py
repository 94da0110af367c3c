"""The oracle of refreshes: how many at once, which were accepted, which were refused."""

import base64
import json

import pytest
import trio

from tigercore_simulator import Fault, Kind, Refreshes, open_simulator

REFRESH = "user_token_refresh"


def log(simulator, caller):
    return simulator.oracle.refreshes[caller.developer.tiger_id]


def generation(text):
    return int(base64.b64decode(text)[:13])


async def begin(simulator, caller, in_flight):
    """Send a refresh, and wait until so many are under way."""
    http = await caller.connect()
    await http.send("POST", "/gateway", caller.body(REFRESH), caller.headers())
    await reach(simulator, caller, in_flight)
    return http


async def reach(simulator, caller, in_flight):
    with trio.fail_after(5):
        while log(simulator, caller).in_flight != in_flight:
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.HANG_AFTER])
async def test_a_refresh_that_hangs_is_in_flight(simulator, token_caller, kind):
    simulator.faults.add(Fault(kind, method=REFRESH))
    async with (await begin(simulator, token_caller, 1)).stream:
        await token_caller.call("accounts")
        assert 1 == log(simulator, token_caller).in_flight


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.DELAY_BEFORE])
async def test_a_refresh_that_is_delayed_is_in_flight(simulator, token_caller, kind):
    simulator.faults.add(Fault(kind, method=REFRESH, delay_ms=60_000))
    async with (await begin(simulator, token_caller, 1)).stream:
        await token_caller.call("accounts")
        assert 1 == log(simulator, token_caller).in_flight


async def test_two_refreshes_at_once_are_seen(simulator, token_caller):
    simulator.faults.add(Fault(Kind.HANG, method=REFRESH, count=2))
    async with (await begin(simulator, token_caller, 1)).stream, (await begin(simulator, token_caller, 2)).stream:
        simulator.faults.release()
        await reach(simulator, token_caller, 0)
    await token_caller.call(REFRESH)
    assert 2 == log(simulator, token_caller).max_concurrent_refreshes


async def test_refreshes_one_after_another_are_never_two_at_once(simulator, token_caller):
    for _ in range(5):
        await token_caller.data(REFRESH)
    assert (0, 1) == (log(simulator, token_caller).in_flight, log(simulator, token_caller).max_concurrent_refreshes)


async def test_refreshes_of_two_developers_are_counted_apart(clock, caller_of):
    async with open_simulator(developers=2, licenses=("TBHK",), clock=clock) as simulator:
        simulator.faults.add(Fault(Kind.HANG, method=REFRESH, count=2))
        one, two = (caller_of(simulator, each) for each in simulator.developers)
        async with (await begin(simulator, one, 1)).stream, (await begin(simulator, two, 1)).stream:
            assert 1 == log(simulator, two).max_concurrent_refreshes


async def test_a_call_of_another_method_is_no_refresh(simulator, token_caller):
    await token_caller.data("accounts")
    assert Refreshes() == log(simulator, token_caller)


async def test_a_refresh_that_was_answered_is_over(simulator, token_caller):
    simulator.faults.add(Fault(Kind.HANG, method=REFRESH))
    async with (await begin(simulator, token_caller, 1)).stream:
        simulator.faults.release()
        await reach(simulator, token_caller, 0)


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.HANG_AFTER, Kind.DELAY])
async def test_a_refresh_whose_client_is_gone_is_over(simulator, token_caller, kind):
    simulator.faults.add(Fault(kind, method=REFRESH, delay_ms=60_000))
    http = await begin(simulator, token_caller, 1)
    await http.stream.aclose()
    await reach(simulator, token_caller, 0)


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER])
async def test_a_refresh_that_was_reset_is_over(simulator, token_caller, kind):
    simulator.faults.add(Fault(kind, method=REFRESH))
    with pytest.raises(trio.BrokenResourceError):
        await token_caller.call(REFRESH)
    assert 0 == log(simulator, token_caller).in_flight


async def leave_late(simulator, caller, delay_ms):
    simulator.faults.add(Fault(Kind.DELAY_BEFORE, method=REFRESH, delay_ms=delay_ms))
    http = await begin(simulator, caller, 1)
    await http.stream.aclose()


async def test_a_refresh_that_is_still_to_be_executed_is_in_flight_without_its_client(simulator, token_caller):
    await leave_late(simulator, token_caller, 60_000)
    await token_caller.call("accounts")
    assert ([], 1) == (log(simulator, token_caller).generations, log(simulator, token_caller).in_flight)


async def test_a_refresh_delayed_before_its_execution_is_executed_without_its_client(simulator, token_caller):
    await leave_late(simulator, token_caller, 30)
    await reach(simulator, token_caller, 0)
    assert [generation(simulator.token(token_caller.developer))] == log(simulator, token_caller).generations


async def test_a_refresh_delayed_before_its_execution_is_answered(simulator, token_caller):
    simulator.faults.add(Fault(Kind.DELAY_BEFORE, method=REFRESH, delay_ms=1))
    assert (await token_caller.data(REFRESH))["token"] == simulator.token(token_caller.developer)


async def test_accepted_refreshes_are_kept_in_order(simulator, token_caller, clock):
    texts = []
    for _ in range(3):
        texts.append((await token_caller.data(REFRESH))["token"])
        clock.move(1)
    assert list(map(generation, texts)) == log(simulator, token_caller).generations


async def test_a_token_rotated_elsewhere_is_no_accepted_refresh(simulator, token_caller):
    simulator.rotate_token(token_caller.developer)
    assert [] == log(simulator, token_caller).generations


async def test_an_accepted_refresh_counts_though_its_reply_is_lost(simulator, token_caller):
    simulator.faults.add(Fault(Kind.RESET_AFTER, method=REFRESH))
    with pytest.raises(trio.BrokenResourceError):
        await token_caller.call(REFRESH)
    assert [generation(simulator.token(token_caller.developer))] == log(simulator, token_caller).generations


async def test_a_refused_refresh_is_kept_with_the_generation_it_carried(simulator, token_caller):
    old = token_caller.headers()
    simulator.rotate_token(token_caller.developer)
    await token_caller.post(token_caller.body(REFRESH), old)
    refused = [(each.generation, each.why) for each in log(simulator, token_caller).refused]
    assert [(generation(token_caller.developer.token), "user token error(user token expired invalid)")] == refused


async def test_a_refused_refresh_with_a_token_of_nobody_has_no_generation(simulator, token_caller):
    await token_caller.post(token_caller.body(REFRESH), "Authorization: none\r\n")
    assert [None] == [each.generation for each in log(simulator, token_caller).refused]


async def test_a_lenient_gateway_accepts_a_refresh_with_a_rotated_token(clock, caller_of):
    async with open_simulator(licenses=("TBHK",), clock=clock, token_lenient=True) as simulator:
        caller = caller_of(simulator, simulator.developers[0])
        old = caller.headers()
        simulator.rotate_token(caller.developer)
        assert b'"code":0' in (await caller.post(caller.body(REFRESH), old))[1]


async def test_tokens_live_as_long_as_they_are_told(clock, caller_of):
    async with open_simulator(licenses=("TBHK",), clock=clock, token_lifetime=600.0) as simulator:
        data = await caller_of(simulator, simulator.developers[0]).data(REFRESH)
        assert 600_000 == data["expiredTime"] - data["createTime"]


async def test_the_admin_shows_the_refreshes(simulator, token_caller):
    await token_caller.data(REFRESH)
    await token_caller.post(token_caller.body(REFRESH), "Authorization: none\r\n")
    http = await token_caller.connect()
    async with http.stream:
        rows = json.loads((await http.ask("GET", "/admin/oracle"))[1])["refreshes"]
    expected = {
        "in_flight": 0,
        "max_concurrent_refreshes": 1,
        "generations": [generation(simulator.token(token_caller.developer))],
        "refused": [{"generation": None, "why": "user token error(user token invalid)"}],
    }
    assert {token_caller.developer.tiger_id: expected} == rows


def times_met(simulator):
    simulator.faults.add(Fault(Kind.RESET_AFTER, method=REFRESH, count=None, probability=0.5))
    return [simulator.faults.take("1", None, REFRESH) is not None for _ in range(40)]


async def test_the_same_seed_meets_the_same_requests_with_a_fault(clock):
    async with open_simulator(seed=4, clock=clock) as one, open_simulator(seed=4, clock=clock) as two:
        assert times_met(one) == times_met(two)


async def test_another_seed_meets_other_requests_with_a_fault(clock):
    async with open_simulator(seed=4, clock=clock) as one, open_simulator(seed=5, clock=clock) as two:
        assert times_met(one) != times_met(two)
