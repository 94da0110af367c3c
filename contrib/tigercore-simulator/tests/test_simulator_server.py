"""HTTP over real sockets, the admin endpoints among them."""

import json

import pytest
import trio

from tigercore_simulator import Fault, Kind


@pytest.fixture
async def http(caller):
    http = await caller.connect()
    async with http.stream:
        yield http


async def ask(http, verb, path, value=None):
    status, body = await http.ask(verb, path, b"" if value is None else json.dumps(value).encode())
    return status, json.loads(body)


async def test_one_connection_serves_request_after_request(http, caller):
    codes = [json.loads((await http.ask("POST", "/gateway", caller.body("accounts", {})))[1])["code"] for _ in "abc"]
    assert codes == [0, 0, 0]


async def test_requests_sent_together_are_answered_in_order(http, caller):
    await http.send("POST", "/gateway", caller.body("user_license"))
    await http.send("POST", "/gateway", caller.body("accounts", {}))
    first, second = [json.loads((await http.receive())[1])["data"] for _ in "ab"]
    assert (first, len(second["items"])) == ({"license": "TBSG"}, 2)


async def test_a_request_sent_while_the_one_before_is_delayed_is_answered(http, simulator, caller):
    simulator.faults.add(Fault(Kind.DELAY, delay_ms=30))
    await http.send("POST", "/gateway", caller.body("user_license"))
    while simulator.faults.active:
        await trio.lowlevel.checkpoint()
    await http.send("POST", "/gateway", caller.body("accounts", {}))
    first, second = [json.loads((await http.receive())[1])["data"] for _ in "ab"]
    assert ({"license": "TBSG"}, 2) == (first, len(second["items"]))


@pytest.mark.parametrize("path", ["/gateway", "/hkg/gateway", "/"])
async def test_the_gateway_answers_under_any_path(http, caller, path):
    assert (await http.ask("POST", path, caller.body("user_license")))[0] == 200


async def test_a_connection_is_closed_when_the_client_asks_for_it(http, caller):
    await http.ask("POST", "/gateway", caller.body("user_license"), "Connection: close\r\n")
    assert await http.stream.receive_some(1) == b""


async def test_a_body_over_a_mebibyte_is_refused(http):
    await http.stream.send_all(b"POST /gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")
    with trio.move_on_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_ignoring_resets, http.stream, b"x" * 1_048_577)
            status, _ = await http.receive()
            assert status == 413


async def send_ignoring_resets(stream, data):
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


async def test_what_is_not_http_is_refused(http):
    await http.stream.send_all(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await http.receive())[0] == 400


@pytest.mark.parametrize("verb", ["HEAD", "PUT", "OPTIONS"])
async def test_a_verb_the_server_does_not_know_is_refused(http, verb):
    assert (await http.ask(verb, "/gateway"))[0] == 405


async def test_a_client_that_leaves_in_the_middle_harms_nobody(caller):
    http = await caller.connect()
    await http.stream.send_all(b"POST /gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await http.stream.aclose()
    assert (await caller.call("user_license"))["code"] == 0


async def test_a_client_that_expects_to_be_told_to_go_on_is_told(http, caller):
    body = caller.body("user_license")
    head = f"POST /gateway HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    await http.stream.send_all(head.encode())
    assert (await http.stream.receive_some(100))[:12] == b"HTTP/1.1 100"


async def test_the_admin_switches_a_fault_on(http, simulator):
    await ask(http, "POST", "/admin/faults", {"kind": "http_429", "method": "orders", "count": 3})
    assert (Fault(Kind.HTTP_429, method="orders", count=3),) == simulator.faults.active


async def test_the_admin_switches_several_faults_on(http, simulator):
    await ask(http, "POST", "/admin/faults", [{"kind": "hang"}, {"kind": "delay", "delay_ms": 5}])
    assert (Fault(Kind.HANG), Fault(Kind.DELAY, delay_ms=5)) == simulator.faults.active


async def test_the_admin_shows_the_faults(http, simulator):
    simulator.faults.add(Fault(Kind.HANG))
    assert [each["kind"] for each in (await ask(http, "GET", "/admin/faults"))[1]["faults"]] == ["hang"]


async def test_the_admin_switches_all_faults_off(http, simulator):
    simulator.faults.add(Fault(Kind.HANG))
    assert await ask(http, "DELETE", "/admin/faults") == (200, {"faults": []})


async def test_the_admin_refuses_a_malformed_fault(http):
    status, reply = await ask(http, "POST", "/admin/faults", {"kind": "hang", "colour": 1})
    assert (status, reply["error"]) == (400, "a fault has no field colour")


async def test_the_admin_shows_the_oracle(http, caller):
    await caller.paper("positions")
    row = (await ask(http, "GET", "/admin/oracle"))[1]["executed"][0]
    assert (row["method"], row["times"]) == ("positions", 1)


async def test_the_admin_lets_hanging_requests_go_on(http, simulator, caller):
    simulator.faults.add(Fault(Kind.HANG))
    waiting = await caller.connect()
    await waiting.send("POST", "/gateway", caller.body("user_license"))
    while simulator.faults.active:
        await trio.lowlevel.checkpoint()
    await ask(http, "POST", "/admin/release")
    assert (await waiting.receive())[0] == 200
    await waiting.stream.aclose()


async def test_the_admin_does_not_know_other_paths(http):
    assert (await ask(http, "GET", "/admin/secrets"))[0] == 404


async def test_no_private_key_leaves_through_the_admin(http, caller):
    await caller.paper("positions")
    assert caller.developer.private_key_pk1[100:120] not in str(await ask(http, "GET", "/admin/oracle"))
