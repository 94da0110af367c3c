"""Row group 1: what one decision costs, and whether it stays flat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from benchmarks.measure import Row, Scale, beside
from benchmarks.world import FILTERS, STRATEGIES, opened, trouble
from tigercore import OperationType, Tigercore
from tigercore.testing._scripted_client import ScriptedTigerClient

SIZES = (10, 1_000, 10_000)
_MOST = 27.0  # floors: 1.5 µs where the floor takes 55 ns, as on the machine of the reference (peers B3)


async def rows(scale: Scale) -> AsyncIterator[Row]:
    """Measure each strategy with every filter on, among accounts of which some rest and some have no budget left."""
    for count in SIZES:
        client = ScriptedTigerClient()
        async with opened(count, client) as tiger:
            await trouble(tiger, client, count)
            floor = round_robin(await tiger.accounts.list_accounts())
            for strategy in STRATEGIES:
                least, took = (seconds * 1e6 for seconds in beside(floor, filtered(tiger, strategy), scale))
                name, bound = f"{strategy}, {count:,} accounts", "≤ 1.5 µs ≈ 27 ×"
                yield Row("pick", name, "µs", took, least, "list index in turn", took / least, _MOST, bound)


def filtered(tiger: Tigercore, strategy: str) -> Callable[[], object]:
    """Return a pick that names everything a caller may name, written as a caller would write it."""
    pick, quote = tiger.router.pick, OperationType.QUOTE
    kind, where, license = FILTERS["account_type"], FILTERS["environment"], FILTERS["license"]
    markets = FILTERS["market_permissions"]
    return lambda: pick(
        quote, account_type=kind, environment=where, license=license, market_permissions=markets, strategy=strategy
    )


def round_robin(accounts: Sequence[object]) -> Callable[[], object]:
    """Return the least that a choice can do."""
    place, count = 0, len(accounts)

    def choose() -> object:
        nonlocal place
        place += 1
        return accounts[place % count]

    return choose
