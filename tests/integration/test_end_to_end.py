"""The main job on real drivers: portal files in, sealed, routed, called over HTTP, refreshed."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.integration.conftest import Opener
from tigercore import (
    AccountType,
    Environment,
    License,
    OperationType,
    OrderOutcomeUnknown,
    RateLimited,
    Rejected,
    Tigercore,
    TigerCoreError,
    TokenState,
)
from tigercore_simulator import Fault, Kind, Simulator

ORDER = {
    "symbol": "AAPL",
    "sec_type": "STK",
    "currency": "USD",
    "action": "BUY",
    "order_type": "LMT",
    "total_quantity": 1,
    "limit_price": 1.0,
    "time_in_force": "DAY",
}


@pytest.fixture
async def enrolled(tiger: Tigercore, portal: list[Path]) -> Tigercore:
    """Return tigercore with every account of the portal's folders."""
    for folder in portal:
        await tiger.accounts.create_account_from_properties(folder)
    return tiger


async def test_accounts_from_portal_files_know_what_they_are(enrolled: Tigercore) -> None:
    accounts = await enrolled.accounts.list_accounts()
    assert {AccountType.PAPER} == {account.account_type for account in accounts}
    assert {Environment.SANDBOX} == {account.environment for account in accounts}
    assert [License.TBSG, License.TBHK, License.TBNZ, License.TBAU] == [account.license for account in accounts]


async def test_quotes_come_over_real_http(enrolled: Tigercore) -> None:
    quotes = await enrolled.execute(OperationType.QUOTE, {"symbols": ["AAPL", "MSFT"]})
    assert ["AAPL", "MSFT"] == [quote["symbol"] for quote in quotes]


@pytest.mark.parametrize("strategy", ["round_robin", "random", "least_used", "fastest_response"])
async def test_each_strategy_reaches_every_developer(enrolled: Tigercore, gateway: Simulator, strategy: str) -> None:
    for _ in range(60):
        await enrolled.execute(OperationType.QUOTE, {"symbols": ["AAPL"]}, strategy=strategy)
    counts = [gateway.oracle.count(each.tiger_id, method="quote_real_time") for each in gateway.developers]
    assert 60 == sum(counts)
    assert all(counts)


async def test_an_order_lives_on_its_own_account(enrolled: Tigercore, gateway: Simulator) -> None:
    account = (await enrolled.accounts.list_accounts())[0]
    placed = await enrolled.execute(OperationType.PLACE_ORDER, ORDER, account=account)
    order = await enrolled.execute(OperationType.ORDERS, {"id": placed["id"]}, account=account)
    await enrolled.execute(OperationType.CANCEL_ORDER, {"id": placed["id"]})
    assert placed["id"] == order["id"]
    assert [placed["id"]] == [each.id for each in gateway.oracle.orders_of(account.account_number)]
    assert 1 == gateway.oracle.count(account=account.account_number, method="cancel_order")


async def test_market_data_fails_over_when_an_account_breaks(enrolled: Tigercore, gateway: Simulator) -> None:
    broken = gateway.developers[0]
    gateway.faults.add(Fault(Kind.HTTP_5XX, tiger_id=broken.tiger_id, count=None))
    for _ in range(20):
        assert await enrolled.execute(OperationType.QUOTE, {"symbols": ["AAPL"]}, strategy="round_robin")
    assert 0 == gateway.oracle.count(broken.tiger_id)


async def test_an_order_whose_reply_is_lost_is_executed_once_and_said_to_be_unknown(
    enrolled: Tigercore, gateway: Simulator
) -> None:
    account = (await enrolled.accounts.list_accounts())[0]
    gateway.faults.add(Fault(Kind.RESET_AFTER, method="place_order", count=None))
    with pytest.raises(OrderOutcomeUnknown):
        await enrolled.execute(OperationType.PLACE_ORDER, ORDER, account=account)
    assert 1 == len(gateway.oracle.orders)


async def test_a_refreshed_token_is_the_one_the_gateway_takes(
    enrolled: Tigercore, gateway: Simulator, opener: Opener
) -> None:
    holder = next(a for a in await enrolled.accounts.list_accounts() if a.needs_token)
    assert (True, None) == await enrolled.tokens.refresh_token(holder)
    assert (await enrolled.tokens.validate_token(holder)).valid
    async with opener() as again:
        assert (await again.tokens.validate_token(holder)).valid
    assert 1 == sum(gateway.oracle.token_refreshes.values())


async def test_a_token_that_was_rotated_elsewhere_is_found_out(enrolled: Tigercore, gateway: Simulator) -> None:
    holder = next(a for a in await enrolled.accounts.list_accounts() if a.needs_token)
    gateway.rotate_token(gateway.developers[1])
    await enrolled.tokens.validate_token(holder)
    assert TokenState.UNCERTAIN is (await enrolled.tokens.get_token_status(holder)).state


async def test_a_foreign_account_is_refused_by_the_gateway(enrolled: Tigercore, gateway: Simulator) -> None:
    account = (await enrolled.accounts.list_accounts())[0]
    foreign = gateway.developers[1].prime_account
    await enrolled.accounts.update_account(account.id, {"account_type": "STANDARD", "account_number": foreign})
    with pytest.raises(Rejected) as caught:
        await enrolled.execute(OperationType.POSITIONS, account=foreign)
    assert caught.value.code in (1010, 1200)


async def test_an_account_goes_out_as_a_portal_file_and_comes_in_again(enrolled: Tigercore, tmp_path: Path) -> None:
    account = next(a for a in await enrolled.accounts.list_accounts() if a.needs_token)
    before = await enrolled.accounts.decrypt_credentials(account)
    await enrolled.accounts.export_account_to_properties(account.id, tmp_path / "out")
    await enrolled.accounts.delete_account(account.id)
    again = await enrolled.accounts.create_account_from_properties(tmp_path / "out")
    assert account.account_number == again.account_number
    assert before["tiger_id"] == (await enrolled.accounts.decrypt_credentials(again))["tiger_id"]
    assert TokenState.VALID is (await enrolled.tokens.get_token_status(again)).state


async def test_fifty_calls_at_once_all_come_back(enrolled: Tigercore) -> None:
    answers = []

    async def one() -> None:
        answers.append(await enrolled.execute(OperationType.QUOTE, {"symbols": ["AAPL"]}))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(one)
    assert 50 == len(answers)


# -- one order, one execution, whatever the gateway does -------------------------------------------------------


async def place(tiger: Tigercore, gateway: Simulator, fault: Fault) -> TigerCoreError | None:
    """Place an order that meets a fault; return the error that came instead of an answer."""
    account = (await tiger.accounts.list_accounts())[0]
    gateway.faults.add(fault)
    try:
        placed = await tiger.execute(OperationType.PLACE_ORDER, ORDER, account=account)
    except TigerCoreError as error:
        return error
    assert [placed["id"]] == [order.id for order in gateway.oracle.orders]
    return None


ANSWERED_AWAY = (Kind.HTTP_5XX, Kind.NOT_JSON, Kind.CODE_1, Kind.CODE_2, Kind.HTTP_401)
REFUSED = {
    Kind.HTTP_429: RateLimited,
    Kind.CODE_5: RateLimited,
    Kind.CODE_4: RateLimited,  # its text speaks of a rate limit
    Kind.NESTED_CODE: Rejected,
}


@pytest.mark.parametrize(
    "fault",
    [
        *[Fault(kind, method="place_order", after=True, count=None) for kind in ANSWERED_AWAY],
        *[Fault(kind, method="place_order", count=None) for kind in (Kind.RESET_AFTER, Kind.CUT)],
        Fault(Kind.CUT, method="place_order", keep_bytes=40, count=None),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.keep_bytes}",
)
async def test_an_order_that_was_carried_out_and_not_answered_is_unknown_and_stays_one(
    enrolled: Tigercore, gateway: Simulator, fault: Fault
) -> None:
    assert isinstance(await place(enrolled, gateway, fault), OrderOutcomeUnknown)
    assert 1 == len(gateway.oracle.orders)


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.STRING_DATA, Kind.DOUBLE_REPLY])
async def test_an_order_whose_answer_is_odd_is_answered_and_stays_one(
    enrolled: Tigercore, gateway: Simulator, kind: Kind
) -> None:
    assert await place(enrolled, gateway, Fault(kind, method="place_order", count=None)) is None
    assert 1 == len(gateway.oracle.orders)


@pytest.mark.parametrize("kind", REFUSED)
async def test_an_order_that_was_refused_was_not_carried_out(
    enrolled: Tigercore, gateway: Simulator, kind: Kind
) -> None:
    error = await place(enrolled, gateway, Fault(kind, method="place_order", count=None))
    assert REFUSED[kind] is type(error)
    assert [] == gateway.oracle.orders


@pytest.mark.parametrize("kind", REFUSED)
async def test_an_order_on_one_account_stays_one_even_if_the_gateway_carried_out_what_it_refused(
    enrolled: Tigercore, gateway: Simulator, kind: Kind
) -> None:
    error = await place(enrolled, gateway, Fault(kind, method="place_order", after=True, count=None))
    assert REFUSED[kind] is type(error)
    assert 1 == len(gateway.oracle.orders)


@pytest.mark.parametrize("kind", ANSWERED_AWAY)
async def test_an_order_that_names_no_account_and_may_have_been_carried_out_goes_to_no_other(
    enrolled: Tigercore, gateway: Simulator, kind: Kind
) -> None:
    gateway.faults.add(Fault(kind, method="place_order", after=True, count=None))
    with pytest.raises(OrderOutcomeUnknown):
        await enrolled.execute(OperationType.PLACE_ORDER, ORDER)
    assert 1 == len(gateway.oracle.orders)
