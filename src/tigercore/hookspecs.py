"""The hooks: plain functions that never wait. An implementation takes only the arguments that it wants.

An observer that raises is logged and counted, and never felt by the caller. A veto that raises refuses the operation.
Every argument is a frozen value; none holds a secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pluggy

from tigercore.errors import ClientError
from tigercore.model import AuditEntry, Operation, TigerAccount
from tigercore.ports.balancer import Candidate

PROJECT = "tigercore"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tigercore_veto(operation: Operation, account: TigerAccount, params: Mapping[str, Any]) -> str | None:
    """Refuse a call before it is sent, by returning the reason; None lets it pass."""


@hookspec
def tigercore_filter_candidates(  # type: ignore[empty-body]
    operation: Operation, candidates: Sequence[Candidate]
) -> Sequence[Candidate]:
    """Leave out candidates before the strategy orders them; the plugins are asked one after the other."""


@hookspec
def tigercore_attempt(
    operation: Operation, account: TigerAccount, error: ClientError | None, milliseconds: float
) -> None:
    """Hear of every call to the gateway after it ended; `error` is None if it was answered."""


@hookspec
def tigercore_account_changed(account: TigerAccount, action: str) -> None:
    """Hear that this process has created, updated or deleted an account, after it was stored."""


@hookspec
def tigercore_token_refreshed(account: TigerAccount, expires_at: datetime | None) -> None:
    """Hear that an account has a new token, after it was stored."""


@hookspec
def tigercore_token_refresh_failed(account: TigerAccount, reason: str, failures: int) -> None:
    """Hear that a refresh failed, and how many have in a row."""


@hookspec
def tigercore_token_refresh_recovered(account: TigerAccount) -> None:
    """Hear that a refresh succeeded after one or more had failed."""


@hookspec
def tigercore_token_expiring(account: TigerAccount, expires_at: datetime, seconds: float) -> None:
    """Hear that a token ends in so many seconds and could not be refreshed: about 7 days, 3 days, 1 day, 6 hours."""


@hookspec
def tigercore_ejected(account: TigerAccount, seconds: float) -> None:
    """Hear that an account is left out of routing for this long, because its calls fail."""


@hookspec
def tigercore_audit(entry: AuditEntry) -> None:
    """Hear of every audit line after it was stored."""


@hookspec
def tigercore_services(tiger: Any) -> Sequence[Callable[[], Awaitable[None]]]:  # type: ignore[empty-body]
    """Give async functions to run beside the core for as long as it is open; one that fails is started again.

    `tiger` is the open `Tigercore`, which stands above this file and is not imported here.
    """


@hookspec
def tigercore_cli(app: Any) -> None:
    """Add commands to the `tigercore` command line; `app` is its cyclopts application."""
