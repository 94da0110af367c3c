from __future__ import annotations

import pytest
from tigeropen.common.consts import service_types
from tigeropen.tiger_open_client import SKIP_RETRY_SERVICES

from tigercore.errors import OperationNotSupportedError
from tigercore.model import Operation, OperationClass, OperationType
from tigercore.operations import CATALOGUE, account_key, operation

SDK_METHODS = sorted(value for name, value in vars(service_types).items() if name.isupper())

# reliability 4.1, and the methods that the vendor's Rust SDK never sends again (protocol 9.1)
NEVER_AGAIN = [
    "order_no",
    "place_order",
    "modify_order",
    "cancel_order",
    "place_forex_order",
    "transfer_segment_fund",
    "cancel_segment_fund",
    "position_transfer",
    "option_exercise_submit",
    "option_exercise_cancel",
    "transfer_fund",
    "batch_place_order",
    "user_token_refresh",
]

HIGH = """order_no place_order modify_order cancel_order orders active_orders inactive_orders filled_orders timeline
    hour_trading_timeline trade_tick quote_real_time quote_overnight option_brief option_trade_tick future_tick
    future_real_time_quote"""
MEDIUM = """accounts assets prime_assets aggregate_assets positions order_transactions kline history_timeline
    option_kline future_kline brief quote_depth option_chain option_expiration option_analysis contract contracts
    quote_contract quote_shortable_stocks quote_stock_trade future_trading_date future_current_contract
    batch_place_order corporate_action preview_order trading_calendar financial_daily financial_report
    stock_fundamental addon_entitlements transfer_fund option_exercise_submit"""
LOW = """grab_quote_permission get_quote_permission user_license user_token_refresh kline_quota market_state quote_delay
    all_symbols all_symbol_names stock_detail market_scanner market_scanner_tags trade_rank broker_hold future_exchange
    fund_details"""


@pytest.mark.parametrize("method", SDK_METHODS)
def test_every_method_of_the_sdk_is_in_the_catalogue(method: str) -> None:
    assert method in CATALOGUE


def test_the_sdk_names_about_a_hundred_methods() -> None:
    assert len(SDK_METHODS) > 100


@pytest.mark.parametrize("method", [*NEVER_AGAIN, *sorted(SKIP_RETRY_SERVICES)])
def test_what_must_not_be_sent_twice_is_not_read_only(method: str) -> None:
    assert not operation(method).safety.read_only


@pytest.mark.parametrize(
    ("per_minute", "method"),
    [(120, name) for name in HIGH.split()]
    + [(60, name) for name in MEDIUM.split()]
    + [(10, name) for name in LOW.split()],
)
def test_budgets_are_the_brokers(per_minute: int, method: str) -> None:
    assert per_minute == operation(method).per_minute


@pytest.mark.parametrize(
    ("version", "method"),
    [
        ("3.0", "option_chain"),
        ("3.0", "timeline"),
        ("3.0", "future_tick"),
        ("3.0", "contract"),
        ("1.0", "market_scanner"),
        ("2.0", "place_order"),
        ("2.0", "contracts"),
    ],
)
def test_versions_are_the_brokers(version: str, method: str) -> None:
    assert version == operation(method).version


@pytest.mark.parametrize(
    ("method", "type_"),
    [
        ("market_state", OperationType.MARKET_DATA),
        ("quote_real_time", OperationType.QUOTE),
        ("kline", OperationType.HISTORICAL_DATA),
        ("financial_daily", OperationType.FUNDAMENTALS),
        ("option_chain", OperationType.OPTIONS_CHAIN),
        ("place_order", OperationType.PLACE_ORDER),
        ("modify_order", OperationType.MODIFY_ORDER),
        ("cancel_order", OperationType.CANCEL_ORDER),
        ("prime_assets", OperationType.ACCOUNT_INFO),
        ("positions", OperationType.POSITIONS),
        ("orders", OperationType.ORDERS),
        ("order_transactions", OperationType.TRANSACTIONS),
    ],
)
def test_an_operation_type_stands_for_a_method_of_its_own(method: str, type_: OperationType) -> None:
    assert (method, type_) == (operation(type_).method, operation(type_).type)


def test_every_operation_type_stands_for_a_method() -> None:
    assert {*OperationType} == {operation(type_).type for type_ in OperationType}


@pytest.mark.parametrize(
    ("safety", "scope", "method"),
    [
        (OperationClass.MARKET_DATA, "quote:read", "quote_real_time"),
        (OperationClass.ACCOUNT_READ, "account:read", "positions"),
        (OperationClass.DRY_RUN, "order:preview", "preview_order"),
        (OperationClass.CREATE, "order:place", "place_forex_order"),
        (OperationClass.MODIFY, "order:modify", "modify_order"),
        (OperationClass.CANCEL, "order:cancel", "cancel_order"),
        (OperationClass.CANCEL, "transfer:write", "cancel_segment_fund"),
        (OperationClass.MONEY, "transfer:write", "position_transfer"),
        (OperationClass.TOKEN, "token:refresh", "user_token_refresh"),
    ],
)
def test_a_class_goes_with_its_scope(safety: OperationClass, scope: str, method: str) -> None:
    assert (safety, scope) == (operation(method).safety, operation(method).scope)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_only_market_data_may_be_answered_by_any_account(entry: Operation) -> None:
    assert entry.type.is_data == (entry.safety is OperationClass.MARKET_DATA)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_what_writes_to_an_account_is_trading(entry: Operation) -> None:
    assert entry.type.is_trading or entry.safety.read_only or entry.safety is OperationClass.TOKEN


def test_only_questions_about_the_developer_name_no_account() -> None:
    unbound = {entry.method for entry in CATALOGUE.values() if not entry.binds_account and not entry.type.is_data}
    about_the_developer = {
        "accounts",
        "addon_entitlements",
        "get_quote_permission",
        "grab_quote_permission",
        "kline_quota",
        "user_license",
        "user_token_refresh",
    }
    assert about_the_developer == unbound


def test_only_contracts_are_market_data_that_names_an_account() -> None:
    assert {"contract", "contracts"} == {
        entry.method for entry in CATALOGUE.values() if entry.binds_account and entry.type.is_data
    }


def test_an_unknown_method_is_taken_for_the_most_dangerous() -> None:
    unknown = operation("transfer_everything")
    assert (OperationClass.MONEY, "transfer:write", True) == (unknown.safety, unknown.scope, unknown.binds_account)


def test_an_unknown_method_has_a_medium_budget_of_its_own() -> None:
    unknown = operation("transfer_everything")
    assert ("transfer_everything", 60, "2.0") == (unknown.group, unknown.per_minute, unknown.version)


@pytest.mark.parametrize("name", ["", "Place Order", "PLACE", "place-order", "x" * 129, "naïve", "kline\n"])
def test_what_cannot_be_a_method_is_refused(name: str) -> None:
    with pytest.raises(OperationNotSupportedError, match="pass an OperationType, or a gateway method"):
        operation(name)


def test_a_method_of_128_characters_is_taken() -> None:
    assert "x" * 128 == operation("x" * 128).method


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["place_order"] = operation("kline")  # type: ignore[index]


@pytest.mark.parametrize(
    ("key", "method"),
    [("account", "place_order"), ("from_account", "position_transfer"), ("account_id", "position_transfer_records")],
)
def test_the_account_goes_where_the_gateway_looks_for_it(key: str, method: str) -> None:
    assert key == account_key(operation(method))
