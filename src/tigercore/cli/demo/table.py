"""What the demo shows while it runs: a live table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import final

import attrs
import trio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tigercore.cli.demo.accounts import Developer
from tigercore.cli.demo.calls import Attempt, Ledger, Stage
from tigercore.cli.demo.load import STRATEGIES, Load
from tigercore.model import AccountStatistics, AccountStatus, TigerAccount

_FRAME, _LINE = 0.25, 2.0  # seconds between two pictures on a terminal, and between two lines elsewhere
_STYLES = {"ok": "green", "broken": "bold red", "ejected": "yellow"}
_NAMES = dict(zip(STRATEGIES, ("robin", "random", "least", "fast"), strict=True))


@final
@attrs.frozen
class Scene:
    """What is on show: the load, the accounts, and the developer whom the gateway fails."""

    load: Load
    ledger: Ledger
    developers: Sequence[Developer]
    broken: Developer

    @property
    def elapsed(self) -> float:
        """Return the seconds since the load began."""
        return trio.current_time() - self.load.began

    def state(self, account: TigerAccount, seen: AccountStatistics) -> str:
        """Say in a word how an account does."""
        if seen.ejected:
            return "ejected"
        if self.ledger.stage is Stage.DURING and account in self.broken.accounts:
            return "broken"
        now = self.load.tiger.accounts.find(account.id).status
        return "ok" if now is AccountStatus.ACTIVE else now.lower()

    def states(self) -> dict[TigerAccount, tuple[AccountStatistics, str]]:
        """Return the statistics and the state of every account."""
        seen = {each.account_id: each for each in self.load.tiger.router.get_routing_statistics()}
        accounts = (account for developer in self.developers for account in developer.accounts)
        return {account: (seen[account.id], self.state(account, seen[account.id])) for account in accounts}


@final
@attrs.frozen
class Screen:
    """Where the demo is seen. A quiet console shows nothing."""

    console: Console

    def step(self, text: str) -> None:
        """Tell of a step of the preparation that was taken."""
        self.console.print(Text.assemble(("ok  ", "green"), text))

    async def follow(self, scene: Scene) -> None:
        """Show how it goes on, until cancelled."""
        if self.console.is_terminal:
            await self._animate(scene)
        else:
            await self._report(scene)

    async def _animate(self, scene: Scene) -> None:
        with Live(picture(scene), console=self.console, auto_refresh=False) as live:
            try:
                while True:
                    await trio.sleep(_FRAME)
                    live.update(picture(scene), refresh=True)
            finally:
                live.update(picture(scene), refresh=True)

    async def _report(self, scene: Scene) -> None:
        while True:
            await trio.sleep(_LINE)
            self.console.print(line(scene), highlight=False, soft_wrap=True)


def picture(scene: Scene) -> Group:
    """Return the headline and the table of the accounts."""
    return Group(_headline(scene), _table(scene))


def line(scene: Scene) -> str:
    """Return one line that says how it goes."""
    errors = sum(call.error is not None for call in scene.ledger.calls)
    return (
        f"{scene.elapsed:5.1f} s  {scene.load.strategy:<16} {_speed(scene):3.0f} calls/s "
        f"{len(scene.ledger.calls):5} calls {errors:2} errors  {_standing(scene)}"
    )


def _headline(scene: Scene) -> Text:
    now, whole = min(scene.elapsed, scene.load.seconds), scene.load.seconds
    return Text.assemble(
        ("\ntigercore demo", "bold"),
        f"   {now:.1f} of {whole:g} s   ",
        (scene.load.strategy.value, "cyan"),
        f"   {_speed(scene):.0f} calls/s   ",
        (_standing(scene), "red" if scene.ledger.stage is Stage.DURING else "default"),
    )


def _standing(scene: Scene) -> str:
    words = {
        Stage.BEFORE: "all accounts answer",
        Stage.DURING: "two get HTTP 503",
        Stage.AFTER: "healed",
    }
    return words[scene.ledger.stage]


def _speed(scene: Scene) -> float:
    return len(scene.ledger.calls) / max(scene.elapsed, 0.1)


def _table(scene: Scene) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("account", no_wrap=True)
    table.add_column("type")
    for name in ("calls", *_NAMES.values(), "fails", "p50 ms", "now"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=9)
    for account, (seen, state) in scene.states().items():
        attempts = scene.ledger.attempts_of([account])
        table.add_row(*_cells(account, attempts, seen), Text(state, _STYLES.get(state, "magenta")))
    return table


def _cells(account: TigerAccount, attempts: Sequence[Attempt], seen: AccountStatistics) -> list[str]:
    by_strategy = [sum(attempt.strategy == strategy for attempt in attempts) for strategy in STRATEGIES]
    good = [attempt.milliseconds for attempt in attempts if not attempt.failed]
    failed = len(attempts) - len(good)
    typical = f"{median(good):.1f}" if good else ""
    counts = [len(attempts), *by_strategy, failed]
    return [
        account.account_number,
        account.account_type.lower(),
        *(str(each or "") for each in counts),
        typical,
        str(seen.in_flight or ""),
    ]
