"""What an embedding program sees of the types: checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_type

from tigercore import (
    Availability,
    MarketPermission,
    OperationType,
    RefreshResult,
    Secret,
    TigerAccount,
    Tigercore,
    Token,
    hookimpl,
    open_tigercore,
)
from tigercore.model import Operation
from tigercore.ports import Candidate, LoadBalancer


async def embed() -> None:
    async with open_tigercore() as tiger:
        assert_type(tiger, Tigercore)
        account = await tiger.accounts.get_account_by_number("12345678")
        assert_type(account, TigerAccount)
        assert_type((await tiger.accounts.decrypt_credentials(account))["tiger_id"], Secret)
        assert_type(await tiger.tokens.token_for(account), Token | None)
        assert_type(await tiger.tokens.refresh_token(account), RefreshResult)
        assert_type(await tiger.router.check_account_availability(account), Availability)
        assert_type(
            tiger.router.pick(OperationType.QUOTE, market_permissions=[MarketPermission.US_STOCK]), TigerAccount
        )
        await tiger.execute("quote_real_time", {"symbols": ["AAPL"]}, strategy="stalest")
        await tiger.execute(OperationType.QUOTE, enviroment="sandbox")  # type: ignore[call-arg]
        tiger.accounts = None  # type: ignore[assignment, misc]


class Newest(LoadBalancer):
    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        return reversed(candidates)


class Limits:
    @hookimpl
    def tigercore_veto(self, params: Mapping[str, Any]) -> str | None:
        return None if params else "nothing to do"
