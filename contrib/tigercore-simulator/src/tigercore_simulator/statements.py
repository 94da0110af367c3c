"""Statements of account: the ledger of an account in the shapes the asset methods answer with."""

from decimal import Decimal

from tigercore_simulator.ledger import RATES, Ledger, Quote, money
from tigercore_simulator.wire import Json


def prime_assets(account: str, ledger: Ledger, quote: Quote, locked: Decimal, now: float) -> Json:
    """Return the assets of a prime or paper account."""
    segment = _segment(ledger, quote, locked) | {
        "currencyAssets": [_currency(ledger, quote, name) for name in RATES],
        "consolidatedSegTypes": ["SEC", "FUND"],
    }
    return {"accountId": account, "updateTimestamp": int(now * 1000), "segments": [segment]}


def assets(account: str, ledger: Ledger, quote: Quote, locked: Decimal) -> Json:
    """Return the assets of an account in the older shape."""
    cash, worth = ledger.total_cash(), ledger.market_value(quote)
    free = cash - locked
    row = _totals(cash, worth) | {
        "account": account,
        "capability": "CASH",
        "initMarginReq": worth,
        "maintMarginReq": worth,
        "availableFunds": free,
        "excessLiquidity": free,
        "buyingPower": free,
        "cashValue": cash,
        "dayTradesRemaining": -1,
        "realizedPnL": ledger.realized(),
        "unrealizedPnL": ledger.unrealized(quote),
    }
    values = [_market_value(ledger, quote, name) for name in RATES]
    return {"items": [row | {"segments": [_totals(cash, worth) | {"category": "S"}], "marketValues": values}]}


def aggregate(ledger: Ledger, quote: Quote, locked: Decimal) -> Json:
    """Return the assets of an account in one row."""
    cash, worth = ledger.total_cash(), ledger.market_value(quote)
    free = cash - locked
    margins = {"initMargin": worth, "maintainMargin": worth, "tradeCurrencyMargin": 0.0, "intradayRiskRatio": 0.0}
    frees = {"cashAvailableForTrade": free, "availableCash": free, "lockedFunds": locked, "lockedCash": locked}
    values = {"cashBalance": cash, "stockMarketValue": worth, "optionMarketValue": 0.0, "creditLimit": 0.0}
    return _totals(cash, worth) | margins | frees | values | {"excessEquity": free, "excessLiquidity": free}


def _segment(ledger: Ledger, quote: Quote, locked: Decimal) -> Json:
    cash, worth = ledger.total_cash(), ledger.market_value(quote)
    free = cash - locked
    net = cash + worth
    return _totals(cash, worth) | {
        "capability": "CASH",
        "category": "S",
        "cashBalance": cash,
        "cashAvailableForTrade": free,
        "initMargin": worth,
        "maintainMargin": worth,
        "overnightMargin": worth,
        "unrealizedPL": ledger.unrealized(quote),
        "realizedPL": ledger.realized(),
        "totalTodayPL": 0.0,
        "excessLiquidation": free,
        "overnightLiquidation": free,
        "buyingPower": free,
        "lockedFunds": locked,
        "leverage": round(float(worth / net), 4) if net else 0.0,
        "uncollected": 0.0,
    }


def _totals(cash: Decimal, worth: Decimal) -> Json:
    net = cash + worth
    return {"currency": "USD", "netLiquidation": net, "equityWithLoan": net, "grossPositionValue": worth}


def _currency(ledger: Ledger, quote: Quote, name: str) -> Json:
    cash, worth = ledger.cash[name], ledger.market_value(quote, name)
    values = {"grossPositionValue": worth, "stockMarketValue": worth, "optionMarketValue": 0.0}
    frees = {"cashBalance": cash, "cashAvailableForTrade": cash, "forexRate": RATES[name]}
    return {"currency": name} | frees | values


def _market_value(ledger: Ledger, quote: Quote, name: str) -> Json:
    worth = money(ledger.market_value(quote, name))
    cash = ledger.cash[name]
    return {"currency": name, "cashBalance": cash, "stockMarketValue": worth, "netLiquidation": cash + worth}
