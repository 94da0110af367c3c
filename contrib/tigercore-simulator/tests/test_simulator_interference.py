"""Every fault, as a client meets it over a real socket."""

import json

import pytest
import trio

from tigercore_simulator import Fault, Kind
from tigercore_simulator.faults import REFUSING

ORDER = {
    "symbol": "AAPL",
    "sec_type": "STK",
    "action": "BUY",
    "order_type": "LMT",
    "limit_price": 1.0,
    "total_quantity": 1,
    "user_mark": "mine",
}


def order(caller):
    return caller.body("place_order", {"account": caller.developer.paper_account, **ORDER})


async def meet(simulator, caller, kind, **terms):
    simulator.faults.add(Fault(kind, **terms))
    status, body = await caller.post(order(caller))
    return status, json.loads(body)


def marks(simulator):
    return [each.user_mark for each in simulator.oracle.orders]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        *[(Kind.HTTP_429, 429, 5), (Kind.CODE_5, 200, 5), (Kind.CODE_4, 200, 4), (Kind.HTTP_5XX, 503, 1)],
        *[(Kind.CODE_1, 200, 1), (Kind.CODE_2, 200, 2), (Kind.HTTP_401, 401, 1000)],
    ],
)
async def test_a_refusing_fault_answers_its_status_and_code(simulator, caller, kind, status, code):
    got, reply = await meet(simulator, caller, kind)
    assert (status, code) == (got, reply["code"])


@pytest.mark.parametrize("kind", sorted(REFUSING))
async def test_a_refusing_fault_executes_nothing(simulator, caller, kind):
    simulator.faults.add(Fault(kind))
    await caller.post(order(caller))
    assert marks(simulator) == []


@pytest.mark.parametrize("kind", sorted(REFUSING))
async def test_a_refusing_fault_that_comes_after_executes_and_answers_the_same(simulator, caller, kind):
    before, after = [], []
    for late, answers in ((False, before), (True, after)):
        simulator.faults.add(Fault(kind, after=late))
        answers.append(await caller.post(order(caller)))
    assert (before, ["mine"]) == (after, marks(simulator))


@pytest.mark.parametrize("kind", sorted(REFUSING))
@pytest.mark.parametrize("after", [False, True])
async def test_a_wrong_signature_is_told_whatever_refuses(simulator, caller, kind, after):
    simulator.faults.add(Fault(kind, after=after))
    reply = json.loads((await caller.post(order(caller).replace(b"AAPL", b"TSLA")))[1])
    assert (1000, []) == (reply["code"], marks(simulator))
    assert "signature" in reply["message"]


@pytest.mark.parametrize("kind", sorted(REFUSING))
async def test_a_wrong_token_is_told_whatever_refuses(simulator, token_caller, kind):
    simulator.faults.add(Fault(kind))
    reply = json.loads((await token_caller.post(order(token_caller), "Authorization: none\r\n"))[1])
    assert 2400 == reply["code"]


async def test_a_wrong_signature_does_not_keep_the_network_from_failing(simulator, caller):
    simulator.faults.add(Fault(Kind.RESET_BEFORE))
    with pytest.raises(trio.BrokenResourceError):
        await caller.post(order(caller).replace(b"AAPL", b"TSLA"))


async def test_a_double_reply_comes_twice_and_is_executed_once(simulator, caller):
    simulator.faults.add(Fault(Kind.DOUBLE_REPLY))
    http = await caller.connect()
    async with http.stream:
        first = await http.ask("POST", "/gateway", order(caller))
        assert first == await http.receive()
    assert marks(simulator) == ["mine"]


async def test_a_rate_limit_names_the_method_and_its_limit(simulator, caller):
    reply = (await meet(simulator, caller, Kind.CODE_4))[1]
    assert reply["message"] == "rate limit error(current limiting interface:place_order, up to 120 times per minute)"


async def test_a_server_error_has_the_status_that_was_set(simulator, caller):
    assert (await meet(simulator, caller, Kind.HTTP_5XX, status=502))[0] == 502


async def test_a_nested_code_is_a_success_with_a_code_inside(simulator, caller):
    reply = (await meet(simulator, caller, Kind.NESTED_CODE, code=1300))[1]
    assert (reply["code"], reply["data"]["code"]) == (0, "1300")


async def test_data_as_text_holds_the_same_data(simulator, caller):
    reply = (await meet(simulator, caller, Kind.STRING_DATA))[1]
    assert simulator.oracle.orders[0].id == json.loads(reply["data"])["id"]


async def test_a_reply_that_is_no_json_comes_with_status_200(simulator, caller):
    simulator.faults.add(Fault(Kind.NOT_JSON))
    status, body = await caller.post(order(caller))
    assert (status, body[:6]) == (200, b"<html>")


@pytest.mark.parametrize(("kind", "executed"), [(Kind.RESET_BEFORE, []), (Kind.RESET_AFTER, ["mine"])])
async def test_a_reset_breaks_the_connection(simulator, caller, kind, executed):
    simulator.faults.add(Fault(kind))
    with pytest.raises(trio.BrokenResourceError):
        await caller.post(order(caller))
    assert executed == marks(simulator)


async def test_a_cut_reply_ends_after_so_many_bytes(simulator, caller):
    simulator.faults.add(Fault(Kind.CUT, keep_bytes=9))
    with pytest.raises(EOFError) as caught:
        await caller.post(order(caller))
    assert (caught.value.args[0], marks(simulator)) == (b'{"code":0', ["mine"])


async def test_a_delayed_reply_arrives_and_is_executed(simulator, caller):
    reply = (await meet(simulator, caller, Kind.DELAY, delay_ms=1))[1]
    assert (reply["code"], marks(simulator)) == (0, ["mine"])


async def test_a_request_delayed_before_its_execution_is_answered(simulator, caller):
    reply = (await meet(simulator, caller, Kind.DELAY_BEFORE, delay_ms=1))[1]
    assert (0, ["mine"]) == (reply["code"], marks(simulator))


async def test_a_request_delayed_before_its_execution_is_not_executed_at_once(simulator, caller):
    simulator.faults.add(Fault(Kind.DELAY_BEFORE, delay_ms=60_000))
    http = await caller.connect()
    async with http.stream:
        await http.send("POST", "/gateway", order(caller))
        while simulator.faults.active:
            await trio.lowlevel.checkpoint()
        assert [] == marks(simulator)


async def hang(simulator, caller, kind):
    simulator.faults.add(Fault(kind))
    http = await caller.connect()
    await http.send("POST", "/gateway", order(caller))
    while simulator.faults.active:
        await trio.lowlevel.checkpoint()
    return http


@pytest.mark.parametrize(("kind", "executed"), [(Kind.HANG, []), (Kind.HANG_AFTER, ["mine"])])
async def test_a_hanging_request_is_not_answered(simulator, caller, kind, executed, autojump_clock):
    http = await hang(simulator, caller, kind)
    with trio.move_on_after(0):
        await http.receive()
    assert (b"", executed) == (http.got, marks(simulator))
    await http.stream.aclose()


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.HANG_AFTER])
async def test_a_released_request_is_answered(simulator, caller, kind):
    http = await hang(simulator, caller, kind)
    simulator.faults.release()
    assert json.loads((await http.receive())[1])["code"] == 0
    assert marks(simulator) == ["mine"]
    await http.stream.aclose()


async def test_a_client_that_leaves_a_hanging_request_executes_nothing(simulator, caller):
    http = await hang(simulator, caller, Kind.HANG)
    await http.stream.aclose()
    assert (await caller.call("user_license"))["code"] == 0
    simulator.faults.release()
    assert (await caller.call("accounts", {}))["code"] == 0
    assert marks(simulator) == []


async def test_a_token_rotated_elsewhere_refuses_the_one_that_was_sent(simulator, token_caller):
    simulator.faults.add(Fault(Kind.ROTATE_TOKEN, tiger_id=token_caller.developer.tiger_id))
    assert (await token_caller.call("user_license"))["code"] == 2400


async def test_a_fault_meets_only_the_account_it_names(simulator, caller):
    simulator.faults.add(Fault(Kind.CODE_5, account=caller.developer.prime_account))
    assert (await caller.paper("positions"))["code"] == 0
