"""What the demo has shown, in figures, and whether it went as it should."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import quantiles
from typing import Any, final

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tigercore.cli.demo.accounts import Developer
from tigercore.cli.demo.calls import Call, Ledger, Stage
from tigercore.cli.demo.load import STRATEGIES
from tigercore.model import OperationType
from tigercore.operations import operation as operation_of

_PLACE = operation_of(OperationType.PLACE_ORDER).method
_CANCEL = operation_of(OperationType.CANCEL_ORDER).method


@final
@attrs.frozen
class Summary:
    """The figures of one run; `executed` are the orders that the gateway carried out, as its oracle tells."""

    seconds: float
    developers: Sequence[Developer]
    broken: Developer
    ledger: Ledger
    executed: Sequence[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Return all figures; times are in ms."""
        return {
            "seconds": round(self.seconds, 1),
            "accounts": sum(len(developer.accounts) for developer in self.developers),
            "calls": len(self.ledger.calls),
            "errors": self.errors(),
            "failovers": self.failovers,
            "token_refreshes": self.ledger.token_refreshes,
            "orders": self.orders(),
            "operations": self.operations(),
            "strategies": self.strategies(),
            "broken_account": self.broken_account(),
        }

    @property
    def failovers(self) -> int:
        """Return how many calls failed on one account and were answered on another."""
        return sum(call.failed_over for call in self.ledger.calls)

    def errors(self) -> dict[str, int]:
        """Return how many errors of each kind reached the program."""
        failed = ((call.operation, call.error) for call in self.ledger.calls if call.error is not None)
        return dict(Counter(f"{operation} {type(error).__name__}" for operation, error in failed).most_common())

    def orders(self) -> dict[str, int]:
        """Return what the program was told of its orders, and what the gateway has done."""
        marks = Counter(order["user_mark"] for order in self.executed)
        return {
            "placed": len(self._answered(_PLACE)),
            "cancelled": len(self._answered(_CANCEL)),
            "executed_by_gateway": len(self.executed),
            "duplicates": len(self.executed) - len(marks),
        }

    def operations(self) -> dict[str, dict[str, float]]:
        """Return the calls of each operation, and how long those took that were answered, failover included."""
        asked = Counter(call.operation for call in self.ledger.calls)
        return {name: {"calls": times, **self._times(name)} for name, times in asked.most_common()}

    def strategies(self) -> dict[str, int]:
        """Return how many calls each strategy has routed."""
        routed = Counter(call.strategy for call in self.ledger.calls)
        return {strategy.value: routed[strategy] for strategy in STRATEGIES}

    def broken_account(self) -> dict[str, Any]:
        """Return what became of the developer whom the gateway failed: requests, over both accounts."""
        attempts = self.ledger.attempts_of(self.broken.accounts)
        calls = Counter(attempt.stage for attempt in attempts)
        return {
            "number": self.broken.accounts[0].account_number,
            "numbers": [account.account_number for account in self.broken.accounts],
            **{f"calls_{stage}": calls[stage] for stage in Stage},
            "ejections": len(self.ledger.rests_of(self.broken.accounts)),
        }

    def faults(self) -> Iterator[str]:
        """Yield what did not go as it should."""
        lost = [
            call for call in self.ledger.calls if call.is_market_data and call.error and Stage.DURING in call.stages
        ]
        if lost:
            yield f"{len(lost)} calls for market data failed while one developer was broken; the first: {lost[0].error}"
        if not self.failovers:
            yield "no call failed over: the broken developer was not met; give it more --seconds"
        orders = self.orders()
        if orders["placed"] != orders["executed_by_gateway"] or orders["duplicates"]:
            yield "the gateway carried out other orders than the program was told of: {}".format(
                ", ".join(f"{name} {number}" for name, number in orders.items())
            )

    def _answered(self, method: str) -> list[Call]:
        return [call for call in self.ledger.calls if call.operation == method and call.error is None]

    def _times(self, method: str) -> dict[str, float]:
        times = [call.milliseconds for call in self._answered(method)]
        if not times:
            return {}
        cuts = quantiles(times * 2 if len(times) == 1 else times, n=100, method="inclusive")
        return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


def show(summary: Summary, console: Console) -> None:
    """Print the figures and what they mean."""
    console.print(Text(f"\nWhat happened in {summary.seconds:.1f} s\n", "bold"))
    console.print(_facts(summary))
    console.print()
    console.print(_operations(summary))
    console.print()


def _facts(summary: Summary) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, text in _told(summary):
        facts.add_row(name, text)
    return facts


def _told(summary: Summary) -> Iterator[tuple[str, str]]:
    figures = summary.as_json()
    yield "accounts", f"{figures['accounts']} of {len(summary.developers)} developers; keys and tokens sealed in SQLite"
    yield "tokens", f"{figures['token_refreshes']} refreshed, one for each developer who needs one"
    yield "calls", f"{figures['calls']} over HTTP; {_joined(figures['strategies'])}"
    yield "broken", _broken(figures["broken_account"], summary.ledger.rests_of(summary.broken.accounts))
    yield "failovers", f"{figures['failovers']} calls failed there and were answered through another account"
    yield "errors", _errors(figures["errors"])
    yield "orders", _orders(figures["orders"])


def _broken(figures: Mapping[str, Any], rests: Sequence[float]) -> str:
    return (
        f"{' and '.join(figures['numbers'])}, one developer's: {figures['calls_before']} requests before, "
        f"{figures['calls_during']} while the gateway answered them with HTTP 503, {figures['calls_after']} after; "
        f"left out {len(rests)} times, for {max(rests, default=0.0):.0f} s"
    )


def _errors(figures: Mapping[str, int]) -> str:
    if not figures:
        return "none reached the program"
    return f"{_joined(figures)}: an account's own data never comes from another account"


def _orders(figures: Mapping[str, int]) -> str:
    return (
        f"{figures['placed']} placed and {figures['cancelled']} cancelled, on paper; "
        f"{figures['executed_by_gateway']} carried out by the gateway, {figures['duplicates'] or 'none'} twice"
    )


def _joined(figures: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in figures.items())


def _operations(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("operation")
    for name in ("calls", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    for name, figures in summary.operations().items():
        table.add_row(name, *(str(figures.get(key, "")) for key in ("calls", "p50_ms", "p99_ms")))
    return table
