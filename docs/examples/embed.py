"""Embed tigercore: enrol an account, read a quote, place an order on paper and cancel it.

It speaks to a simulated gateway in this process, and keeps nothing: `python docs/examples/embed.py`.
"""

import base64
import os
import tempfile

import trio

from tigercore import OperationType, TigerCoreError, load_settings, open_tigercore
from tigercore_simulator import open_simulator

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


async def main() -> None:
    """Run against a gateway of our own; a store in memory, a root key that ends with the process."""
    root = base64.b64encode(os.urandom(32)).decode()
    settings = load_settings(environ={"DATABASE_URL": "sqlite://", "ENCRYPTION_MASTER_KEY": root})
    with tempfile.TemporaryDirectory() as place:
        async with open_simulator(developers=1, seed=7) as gateway, open_tigercore(settings) as tiger:
            for folders in gateway.write(place).values():
                account = await tiger.accounts.create_account_from_properties(folders[0], is_default_trading=True)
                print("enrolled", account.account_type, "account of", account.license)
            quotes = await tiger.execute(OperationType.QUOTE, {"symbols": ["AAPL"]})
            print("AAPL is at", quotes[0]["latestPrice"])
            order = await tiger.execute(OperationType.PLACE_ORDER, ORDER)
            print("placed an order on", order["orders"][0]["symbol"])
            await tiger.execute(OperationType.CANCEL_ORDER, {"id": order["id"]})
            print("cancelled it; the gateway has carried out", len(gateway.oracle.orders), "order")
            try:
                await tiger.execute(OperationType.QUOTE, {"symbols": ["AAPL"]}, environment="production")
            except TigerCoreError as error:
                print("refused:", type(error).__name__)


if __name__ == "__main__":
    trio.run(main)
