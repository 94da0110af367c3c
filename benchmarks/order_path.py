"""Row group 2: what `execute` adds to the bare call of a client that answers at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from benchmarks.measure import Row, Scale, beside_async
from benchmarks.world import FILTERS, NullClient, opened
from tigercore import OperationType, TigerAccount, Tigercore
from tigercore.clock import SystemClock
from tigercore.operations import operation
from tigercore.ports import GatewayRequest
from tigercore.testing.clock import driver_context

_ACCOUNTS = 1_000
_MOST = 9.3  # checkpoints more: 25 µs where one takes 2.7 µs, as on the machine of the reference (peers B3)
_PARAMS = {"symbols": ["AAPL"]}


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Measure a read anywhere, the same with every filter on, and a read of one account."""
    client = NullClient(driver_context(SystemClock()))
    async with opened(_ACCOUNTS, client) as tiger:
        account = (await tiger.accounts.list_accounts())[1]
        quote = partial(tiger.execute, OperationType.QUOTE, _PARAMS)
        for name, call in {
            "quote, round_robin": quote,
            "quote, fastest_response, all filters": partial(quote, strategy="fastest_response", **FILTERS),
            "positions of a pinned account": partial(tiger.execute, OperationType.POSITIONS, {}, account=account),
        }.items():
            least, took = (seconds * 1e6 for seconds in await beside_async(_bare(tiger, client, account), call, scale))
            added, bound = (took - least) / least, "≤ 25 µs ≈ 9.3 × more"
            yield Row("execute", name, "µs", took, least, "bare client call", added, _MOST, bound)


def _bare(tiger: Tigercore, client: NullClient, account: TigerAccount) -> Callable[[], Awaitable[object]]:
    request, signer = GatewayRequest(operation("quote_real_time"), _PARAMS), tiger.accounts.signer(account)
    return lambda: client.call(request, signer, None)
