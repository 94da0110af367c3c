"""What may be asked of the gateway: every method, how dangerous it is to repeat, its budget and its scope.

Names from tigeropen 3.8.0 `service_types` and protocol 8.2; classes from reliability 4.1; budgets from protocol 8.2
(120, 60 or 10 calls in a rolling minute for each developer and method; 60 where the broker names none); versions from
protocol 1.6. What the SDK sends decides whether a method names an account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from tigercore.errors import OperationNotSupportedError
from tigercore.model import Operation, OperationClass, OperationType

__all__ = ["CATALOGUE", "account_key", "operation"]

_Row: TypeAlias = tuple[OperationClass, OperationType, str, bool, int, str]

_Q, _R, _P = OperationClass.MARKET_DATA, OperationClass.ACCOUNT_READ, OperationClass.DRY_RUN
_C, _M, _K = OperationClass.CANCEL, OperationClass.MODIFY, OperationClass.TOKEN
_O, _T = OperationClass.CREATE, OperationClass.MONEY

_MARKET, _QUOTE, _HISTORY = OperationType.MARKET_DATA, OperationType.QUOTE, OperationType.HISTORICAL_DATA
_FUNDAMENTAL, _OPTIONS = OperationType.FUNDAMENTALS, OperationType.OPTIONS_CHAIN
_PLACE, _MODIFY, _CANCEL = OperationType.PLACE_ORDER, OperationType.MODIFY_ORDER, OperationType.CANCEL_ORDER
_INFO, _POSITIONS = OperationType.ACCOUNT_INFO, OperationType.POSITIONS
_ORDERS, _TRANSACTIONS = OperationType.ORDERS, OperationType.TRANSACTIONS

# class, type, scope, names an account, calls a minute, methods
_TABLE: Final[tuple[_Row, ...]] = (
    (_Q, _MARKET, "quote:read", False, 120, "timeline hour_trading_timeline trade_tick future_tick"),
    (_Q, _MARKET, "quote:read", False, 60, "brief quote_depth quote_contract quote_shortable_stocks quote_stock_trade"),
    (_Q, _MARKET, "quote:read", False, 60, "trading_calendar stock_broker capital_distribution capital_flow"),
    (_Q, _MARKET, "quote:read", False, 60, "warrant_filter future_contract_by_contract_code future_contracts"),
    (_Q, _MARKET, "quote:read", False, 60, "future_contract_by_exchange_code future_continuous_contracts"),
    (_Q, _MARKET, "quote:read", False, 60, "future_current_contract future_history_main_contract future_depth"),
    (_Q, _MARKET, "quote:read", False, 60, "future_trading_date fund_all_symbols fund_contracts"),
    (_Q, _MARKET, "quote:read", False, 10, "market_state quote_delay all_symbols all_symbol_names stock_detail"),
    (_Q, _MARKET, "quote:read", False, 10, "market_scanner market_scanner_tags trade_rank broker_hold future_exchange"),
    (_Q, _MARKET, "quote:read", True, 60, "contract contracts"),
    (_Q, _QUOTE, "quote:read", False, 120, "quote_real_time quote_overnight future_real_time_quote"),
    (_Q, _QUOTE, "quote:read", False, 60, "warrant_real_time_quote fund_quote"),
    (_Q, _HISTORY, "quote:read", False, 60, "kline history_timeline option_kline future_kline fund_history_quote"),
    (_Q, _FUNDAMENTAL, "quote:read", False, 60, "financial_daily financial_report corporate_action stock_fundamental"),
    (_Q, _FUNDAMENTAL, "quote:read", False, 60, "financial_currency financial_exchange_rate"),
    (_Q, _FUNDAMENTAL, "quote:read", False, 60, "industry_list industry_stocks stock_industry"),
    (_Q, _OPTIONS, "quote:read", False, 120, "option_brief option_trade_tick"),
    (_Q, _OPTIONS, "quote:read", False, 60, "option_expiration option_chain option_analysis option_depth"),
    (_Q, _OPTIONS, "quote:read", False, 60, "option_timeline all_hk_option_symbols"),
    # The answer is about the developer who asks, so another account's is none: not class Q.
    (_R, _INFO, "quote:read", False, 60, "addon_entitlements"),
    (_R, _INFO, "quote:read", False, 10, "get_quote_permission grab_quote_permission kline_quota"),
    (_R, _INFO, "account:read", False, 60, "accounts"),
    (_R, _INFO, "account:read", False, 10, "user_license"),
    (_R, _INFO, "account:read", True, 60, "assets prime_assets aggregate_assets analytics_asset"),
    (_R, _INFO, "account:read", True, 60, "segment_fund_available"),
    (_R, _POSITIONS, "account:read", True, 60, "positions option_exercise_position"),
    (_R, _ORDERS, "account:read", True, 120, "orders active_orders inactive_orders filled_orders"),
    (_R, _TRANSACTIONS, "account:read", True, 60, "order_transactions segment_fund_history option_exercise_record"),
    (_R, _TRANSACTIONS, "account:read", True, 60, "position_transfer_records position_transfer_detail"),
    (_R, _TRANSACTIONS, "account:read", True, 60, "position_transfer_external_records"),
    (_R, _TRANSACTIONS, "account:read", True, 10, "fund_details"),
    (_P, _PLACE, "order:preview", True, 60, "preview_order estimate_tradable_quantity option_exercise_check"),
    (_C, _CANCEL, "order:cancel", True, 120, "cancel_order"),
    (_C, _CANCEL, "order:cancel", True, 60, "option_exercise_cancel"),
    (_C, _CANCEL, "transfer:write", True, 60, "cancel_segment_fund"),
    (_M, _MODIFY, "order:modify", True, 120, "modify_order"),
    (_M, _PLACE, "order:place", True, 120, "order_no"),  # no SDK of the vendor but Python's asks for a number twice
    (_K, _INFO, "token:refresh", False, 10, "user_token_refresh"),
    (_O, _PLACE, "order:place", True, 120, "place_order"),
    (_O, _PLACE, "order:place", True, 60, "batch_place_order place_forex_order option_exercise_submit"),
    # SDK 3.8.0 asks `transfer_fund` for the funding history; its name says otherwise, so it stays where it is safe.
    (_T, _PLACE, "transfer:write", True, 60, "transfer_fund transfer_segment_fund position_transfer"),
)

_VERSIONS: Final = {
    "contract": "3.0",
    "future_tick": "3.0",
    "market_scanner": "1.0",
    "option_chain": "3.0",
    "timeline": "3.0",
}

_DEFAULTS: Final = {
    OperationType.MARKET_DATA: "market_state",
    OperationType.QUOTE: "quote_real_time",
    OperationType.HISTORICAL_DATA: "kline",
    OperationType.FUNDAMENTALS: "financial_daily",
    OperationType.OPTIONS_CHAIN: "option_chain",
    OperationType.PLACE_ORDER: "place_order",
    OperationType.MODIFY_ORDER: "modify_order",
    OperationType.CANCEL_ORDER: "cancel_order",
    OperationType.ACCOUNT_INFO: "prime_assets",
    OperationType.POSITIONS: "positions",
    OperationType.ORDERS: "orders",
    OperationType.TRANSACTIONS: "order_transactions",
}

_ACCOUNT_KEYS: Final = {
    "position_transfer": "from_account",
    "position_transfer_records": "account_id",
    "position_transfer_detail": "account_id",
    "position_transfer_external_records": "account_id",
}

_METHOD = re.compile(r"[a-z0-9_]{1,128}")  # at most 128 characters: protocol 1.4


def _listed() -> Iterator[Operation]:
    for safety, type_, scope, binds, per_minute, methods in _TABLE:
        for method in methods.split():
            version = _VERSIONS.get(method, "2.0")
            yield Operation(method, version, type_, safety, method, per_minute, scope, binds)


CATALOGUE: Final[Mapping[str, Operation]] = MappingProxyType({entry.method: entry for entry in _listed()})
"""Every known gateway method. No two share a budget: the corporate actions are one method, `corporate_action`."""

_BY_NAME: Final = {**CATALOGUE, **{type_.value: CATALOGUE[method] for type_, method in _DEFAULTS.items()}}


def operation(name: OperationType | str) -> Operation:
    """Return what is known of a gateway method, or of the method that an `OperationType` stands for.

    A method that is not in the catalogue is taken for the most dangerous class: it is sent at most once, on one
    account, and needs the scope that moves money.

    :raises OperationNotSupportedError: the name cannot be a method's.
    """
    return _BY_NAME.get(name) or _unknown(name)


def _unknown(name: str) -> Operation:
    if _METHOD.fullmatch(name) is None:
        raise OperationNotSupportedError(
            f"{name[:40]!r} names no operation; pass an OperationType, or a gateway method:"
            " 1 to 128 characters of a-z, 0-9 and '_', such as 'place_order'"
        )
    return Operation(name, "2.0", OperationType.PLACE_ORDER, OperationClass.MONEY, name, 60, "transfer:write", True)


def account_key(operation: Operation) -> str:
    """Return the parameter that names the account of an operation that binds one.

    It is `account` but for the transfers of positions (tigeropen 3.8.0, trade/request/model.py).
    """
    return _ACCOUNT_KEYS.get(operation.method, "account")
