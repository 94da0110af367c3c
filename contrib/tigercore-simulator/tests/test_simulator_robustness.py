"""Parameters nobody should send, to every method there is."""

import json
from random import Random

import pytest

from tigercore_simulator import UNLIMITED, Limits, Oracle, Pace, open_simulator
from tigercore_simulator.methods import furnish, table
from tigercore_simulator.tokens import Tokens

ODD = [None, True, -1, 0, 10**30, 1.5, "", "x", "2026-02-30", [], [[]], {}, {"a": [1]}, ["AAPL", 1], [{"symbol": "A"}]]
NAMES = [
    *("symbols", "symbol", "market", "limit", "begin_time", "end_time", "period", "fields", "begin_date", "end_date"),
    *("option_basic", "option_filter", "id", "order_id", "total_quantity", "total_quantity_scale", "limit_price"),
    *("sec_type", "expiry", "strike", "right", "states", "page_token", "start_date", "since_date", "action_type"),
]
METHODS = sorted(table(furnish(1, Limits(), Pace(), Tokens(Random(1), 1.0, 0.0), Oracle())))


@pytest.fixture
async def open_caller(clock, caller_of):
    async with open_simulator(developers=1, clock=clock, limits=UNLIMITED) as simulator:
        yield caller_of(simulator, simulator.developers[0])


@pytest.mark.parametrize("method", METHODS)
async def test_odd_parameters_are_refused_with_a_known_code(open_caller, method):
    random = Random(method)
    account = {"account": open_caller.developer.paper_account}
    tries = [account | {name: random.choice(ODD) for name in random.sample(NAMES, 5)} for _ in range(30)]
    assert {(await open_caller.call(method, each))["code"] for each in tries} <= {0, 1, 1000, 1010, 1200}


async def test_text_that_cannot_be_encoded_is_refused(open_caller):
    body = json.loads(open_caller.body("user_license")) | {"version": "\ud800"}
    assert b'"code":1' in (await open_caller.post(json.dumps(body).encode()))[1]
