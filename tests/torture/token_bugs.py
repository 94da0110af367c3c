"""Bugs that the keeping of tokens must not have: one is planted in every worker, to see that torture finds it (T28)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.torture.zygote import Work
from tigercore import _exchange, _refresh, _refresher
from tigercore._journal import Journal
from tigercore._keeper import TokenKeeper
from tigercore._refresh import Step


def planted(name: str, work: Work) -> Work:
    """Return this work as a process does it that has the bug; an empty name plants none."""

    async def worse() -> None:
        if name:
            BUGS[name]()
        await work()

    return worse


def _no_settle() -> None:
    """Ask about a lost refresh at once, while it may still be carried out."""
    _refresh.is_settling = lambda *_: False


def _lease_is_permission() -> None:
    """Take an expired lease for permission to refresh."""
    next_step = _refresh.next_step

    def hasty(*args: Any) -> Step:
        step = next_step(*args)
        return Step.REFRESH if step in (Step.DOUBT, Step.PROBE) else step

    _refresh.next_step = hasty


def _no_lease() -> None:
    """Look at no lease of others, and at nobody's version."""
    _refresh.is_leased = lambda *_: False
    _lease_is_permission()


def _retry() -> None:
    """Send a refresh again when no reply came."""
    answer = _exchange.TokenExchange._answer

    async def again(self: Any, *args: Any) -> Any:
        try:
            return await answer(self, *args)
        except _exchange.OutcomeUnknown:
            return await answer(self, *args)

    _exchange.TokenExchange._answer = again  # type: ignore[method-assign]


def _no_journal() -> None:
    """Forget what was received and not stored: neither journal nor memory holds it when the store is gone."""

    async def nothing(self: Any, *_: Any) -> None:
        return

    Journal.keep = nothing  # type: ignore[method-assign]
    Journal.orphans = lambda self: _empty()  # type: ignore[method-assign]


async def _empty() -> dict[str, bytes]:
    return {}


def _alive_unseen() -> None:
    """Take a token in doubt for alive without asking."""

    async def alive(self: Any, *_: Any) -> bool:
        return True

    _refresher.Refresher._is_alive = alive  # type: ignore[method-assign]


def _no_guard() -> None:
    """Write a token that was received over whatever stands, an older one over a newer."""
    TokenKeeper._takes = lambda *_: True  # type: ignore[method-assign]


def _own_clock() -> None:
    """Judge leases by this process's clock."""
    from tigercore._snapshot import Snapshot

    def now(self: Snapshot) -> datetime:
        return self._clock.now() + timedelta(0)

    Snapshot.now = now  # type: ignore[method-assign]


BUGS: Mapping[str, Callable[[], None]] = {
    "no-settle": _no_settle,
    "lease-is-permission": _lease_is_permission,
    "no-lease": _no_lease,
    "retry": _retry,
    "no-journal": _no_journal,
    "alive-unseen": _alive_unseen,
    "no-guard": _no_guard,
    "own-clock": _own_clock,
}
