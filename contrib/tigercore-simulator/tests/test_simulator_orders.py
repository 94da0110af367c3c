"""Orders, positions and cash, over the wire and by a hand-moved clock."""

from decimal import Decimal

import pytest

BUY = {"symbol": "AAPL", "sec_type": "STK", "action": "BUY", "order_type": "MKT", "total_quantity": 10}
FAR = BUY | {"order_type": "LMT", "limit_price": 1.0}


async def place(caller, clock=None, seconds=1.0, **terms):
    reply = await caller.paper("place_order", **(BUY | terms))
    assert reply["code"] == 0, reply
    if clock:
        clock.move(seconds)
    return reply["data"]["id"]


async def status(caller, id):
    return (await order(caller, id))["status"]


async def order(caller, id):
    return (await caller.paper("orders", id=id))["data"]


async def cash(caller):
    segment = (await caller.paper("prime_assets"))["data"]["segments"][0]
    return Decimal(str(segment["currencyAssets"][0]["cashBalance"]))


async def test_a_placed_order_is_acknowledged_as_initial(caller):
    reply = await caller.paper("place_order", **BUY)
    assert reply["data"]["orders"][0]["status"] == "Initial"


async def test_an_order_number_above_two_to_the_53(caller):
    assert await place(caller) > 2**53


@pytest.mark.parametrize(
    ("seconds", "expected", "filled"),
    [(0.0, "Initial", 0), (0.1, "Submitted", 0), (0.3, "Submitted", 5), (0.6, "Filled", 10)],
)
async def test_a_market_order_lives_through_its_states(caller, clock, seconds, expected, filled):
    found = await order(caller, await place(caller, clock, seconds))
    assert (expected, filled) == (found["status"], found["filledQuantity"])


async def test_a_market_order_nobody_looked_at_was_filled_on_time(caller, clock):
    placed = int(clock.now * 1000)
    id = await place(caller, clock, 7 * 86_400.0)
    items = (await caller.paper("order_transactions", order_id=id))["data"]["items"]
    assert [placed + 500, placed + 200] == [item["transactionTime"] for item in items]


async def test_looking_at_an_order_does_not_change_its_price(simulator, clock, caller_of):
    watched, left_alone = (caller_of(simulator, each) for each in (simulator.developers[0], simulator.developers[2]))
    first, second = await place(watched), await place(left_alone)
    clock.move(0.2)
    await order(watched, first)
    clock.move(0.3)
    await order(watched, first)
    clock.move(3600)
    assert (await order(watched, first))["avgFillPrice"] == (await order(left_alone, second))["avgFillPrice"]


async def test_an_order_out_of_reach_stays_submitted(caller, clock):
    assert await status(caller, await place(caller, clock, 3600.0, **FAR)) == "Submitted"


async def test_a_day_order_is_inactive_the_day_after(caller, clock):
    assert await status(caller, await place(caller, clock, 86_400.0, **FAR)) == "Inactive"


async def test_an_order_good_till_cancelled_outlives_the_day(caller, clock):
    assert await status(caller, await place(caller, clock, 86_400.0, **FAR, time_in_force="GTC")) == "Submitted"


async def test_a_cancelled_order_is_pending_first(caller, clock):
    id = await place(caller, clock, **FAR)
    await caller.paper("cancel_order", id=id)
    assert await status(caller, id) == "PendingCancel"


async def test_a_cancelled_order_is_cancelled_soon(caller, clock):
    id = await place(caller, clock, **FAR)
    await caller.paper("cancel_order", id=id)
    clock.move(1)
    assert await status(caller, id) == "Cancelled"


async def test_cancelling_twice_is_refused(caller, clock):
    id = await place(caller, clock, **FAR)
    await caller.paper("cancel_order", id=id)
    assert (await caller.paper("cancel_order", id=id))["code"] == 1200


async def test_cancelling_what_is_filled_is_refused(caller, clock):
    id = await place(caller, clock)
    assert (await caller.paper("cancel_order", id=id))["code"] == 1200


async def test_an_order_is_cancelled_by_its_local_number(caller):
    await place(caller, order_id=77, **FAR)
    assert (await caller.paper("cancel_order", order_id=77))["code"] == 0


async def test_an_unknown_order_is_refused(caller):
    reply = await caller.paper("orders", id=1)
    assert (reply["code"], "not_found:Order does not exist" in reply["message"]) == (1200, True)


async def test_a_modified_order_has_its_new_limit(caller, clock):
    id = await place(caller, clock, **FAR)
    await caller.paper("modify_order", id=id, **(FAR | {"limit_price": 2.5}))
    assert (await order(caller, id))["limitPrice"] == 2.5


async def test_a_modified_order_within_reach_is_filled(caller, clock):
    id = await place(caller, clock, **FAR)
    await caller.paper("modify_order", id=id, **(FAR | {"limit_price": 5000.0}))
    clock.move(1)
    assert await status(caller, id) == "Filled"


async def test_the_side_of_an_order_cannot_change(caller):
    id = await place(caller, **FAR)
    assert (await caller.paper("modify_order", id=id, **(FAR | {"action": "SELL"})))["code"] == 1200


async def test_an_order_echoes_its_mark_and_numbers(caller):
    found = await order(caller, await place(caller, order_id=77, user_mark="mine"))
    assert (found["orderId"], found["externalId"], found["userMark"]) == (77, "77", "mine")


async def test_local_order_numbers_count_up(caller):
    first = (await caller.paper("order_no"))["data"]["orderId"]
    assert first + 1 == (await caller.paper("order_no"))["data"]["orderId"]


async def test_a_purchase_takes_exactly_its_price_and_commission(caller, clock):
    before = await cash(caller)
    found = await order(caller, await place(caller, clock))
    spent = Decimal(str(found["filledCashAmount"])) + Decimal(str(found["commission"]))
    assert before - spent == await cash(caller)


async def test_a_round_trip_loses_the_two_commissions_when_the_price_stands(caller, clock):
    before = await cash(caller)
    bought = await order(caller, await place(caller, clock))
    sold = await order(caller, await place(caller, clock, 0.6, action="SELL"))
    fees = sum(Decimal(str(each["commission"])) for each in (bought, sold))
    moved = Decimal(str(sold["filledCashAmount"])) - Decimal(str(bought["filledCashAmount"]))
    assert before + moved - fees == await cash(caller)


async def test_a_sold_position_is_gone(caller, clock):
    await place(caller, clock)
    await place(caller, clock, action="SELL")
    assert (await caller.paper("positions"))["data"]["items"] == []


async def test_a_position_keeps_fractions(caller, clock):
    await place(caller, clock, total_quantity=150, total_quantity_scale=2)
    row = (await caller.paper("positions"))["data"]["items"][0]
    assert (row["position"], row["positionScale"], row["positionQty"]) == (15, 1, 1.5)


async def test_selling_what_is_not_owned_is_refused(caller):
    reply = await caller.paper("place_order", **(BUY | {"action": "SELL"}))
    assert (reply["code"], "Insufficient position" in reply["message"]) == (1200, True)


async def test_buying_beyond_the_cash_is_refused(caller):
    reply = await caller.paper("place_order", **(BUY | {"total_quantity": 10**6}))
    assert (reply["code"], "Insufficient buying power" in reply["message"]) == (1200, True)


async def test_open_orders_set_their_cash_aside(caller):
    await place(caller, **(FAR | {"total_quantity": 900_000}))
    reply = await caller.paper("place_order", **(FAR | {"total_quantity": 200_000}))
    assert reply["code"] == 1200


async def test_transactions_name_the_order_they_filled(caller, clock):
    id = await place(caller, clock)
    await order(caller, id)
    items = (await caller.paper("order_transactions", order_id=id))["data"]["items"]
    assert {id} == {item["orderId"] for item in items}


async def test_a_preview_places_nothing(caller):
    await caller.paper("preview_order", **BUY)
    assert (await caller.paper("orders"))["data"]["items"] == []


async def test_a_preview_says_why_an_order_cannot_be_placed(caller):
    reply = await caller.paper("preview_order", **(BUY | {"total_quantity": 10**6}))
    assert reply["data"]["isPass"] is False


@pytest.mark.parametrize(("method", "expected"), [("active_orders", 1), ("inactive_orders", 1), ("filled_orders", 1)])
async def test_orders_are_listed_by_how_they_stand(caller, clock, method, expected):
    await place(caller, clock)
    cancelled = await place(caller, clock, **FAR)
    await caller.paper("cancel_order", id=cancelled)
    await place(caller, clock, **FAR)
    dates = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
    assert expected == len((await caller.paper(method, **dates))["data"]["items"])


async def test_filled_orders_need_their_dates(caller):
    assert (await caller.paper("filled_orders"))["code"] == 1010


async def test_more_than_ninety_days_of_filled_orders_are_refused(caller):
    reply = await caller.paper("filled_orders", start_date="2025-01-01", end_date="2026-01-01")
    assert reply["code"] == 1010


async def test_pages_of_orders_hold_every_order_once(caller, clock):
    placed = {await place(caller, clock, **FAR) for _ in range(5)}
    found, token = [], ""
    while True:
        page = (await caller.paper("orders", limit=2, page_token=token))["data"]
        found += [item["id"] for item in page["items"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert sorted(placed, reverse=True) == found


async def test_five_orders_a_second_are_all_an_account_may_place(caller):
    codes = [(await caller.paper("place_order", **FAR))["code"] for _ in range(6)]
    assert codes == [0, 0, 0, 0, 0, 1200]


async def test_paper_and_prime_accounts_own_separate_things(caller, clock):
    await place(caller, clock)
    prime = await caller.data("positions", {"account": caller.developer.prime_account})
    assert prime["items"] == []


@pytest.mark.parametrize(
    "terms",
    [
        {"total_quantity": 0},
        {"total_quantity": "many"},
        {"total_quantity": None},
        {"action": "HOLD"},
        {"order_type": "TWAP"},
        {"order_type": "LMT"},
        {"symbol": ""},
        {"symbol": "not a symbol"},
        {"total_quantity_scale": 99},
    ],
)
async def test_a_malformed_order_is_refused(caller, terms):
    assert (await caller.paper("place_order", **(BUY | terms)))["code"] == 1010


async def test_securities_the_simulator_does_not_trade_are_refused(caller):
    assert (await caller.paper("place_order", **(BUY | {"sec_type": "FUT"})))["code"] == 1200


async def test_parameters_of_a_wrong_type_are_a_server_error(caller, caplog):
    assert (await caller.paper("orders", id=[1]))["code"] == 1
