"""`tigercore token`: how the tokens stand, and new ones."""

from __future__ import annotations

from typing import Annotated, Any, Final

import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from tigercore.app import Tigercore
from tigercore.cli._common import COMMON, Common, find_account, opened
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._output import fields_of, progress, show_fields, show_rows
from tigercore.model import RefreshResult, TigerAccount, TokenStatus

_MOST: Final = 10_000
_LONGEST: Final = 3660  # days; ten years
app = App(name="token", help="Refresh tokens, and see how they stand.")


@app.command
async def refresh(
    *accounts: str,
    all: Annotated[bool, Parameter(help="Every account that needs a token.", negative=())] = False,
    common: Common = COMMON,
) -> int:
    """Get new tokens from the gateway; the old ones die.

    Parameters
    ----------
    accounts
        Ids, numbers or exact names.
    """
    if bool(accounts) is all:
        raise UsageError("name the accounts to refresh, or --all for every one")
    settings = common.settings()
    async with opened(settings) as tiger:
        if all:
            chosen = [each for each in await tiger.accounts.list_accounts() if each.needs_token]
        else:
            chosen = [await find_account(tiger, each) for each in accounts]
        results = await _refreshed(tiger, chosen, settings.tokens.parallel)
    rows = [
        {"number": each.account_number, "name": each.account_name, "refreshed": result.success, "error": result.error}
        for each, result in results
    ]
    show_rows(common, rows, rows, nothing="No account needs a token.")
    return Exit.DONE if all_well(results) else Exit.FAILED


async def _refreshed(
    tiger: Tigercore, accounts: list[TigerAccount], parallel: int
) -> list[tuple[TigerAccount, RefreshResult]]:
    results: dict[int, RefreshResult] = {}
    limit = trio.CapacityLimiter(parallel)

    async def one(at: int, account: TigerAccount) -> None:
        async with limit:
            results[at] = await tiger.tokens.refresh_token(account)
        step()

    with progress(len(accounts), "refreshing") as step:
        async with trio.open_nursery() as nursery:
            for at, account in enumerate(accounts):
                nursery.start_soon(one, at, account)
    return [(account, results[at]) for at, account in enumerate(accounts)]


def all_well(results: list[tuple[TigerAccount, RefreshResult]]) -> bool:
    """Say whether every refresh succeeded."""
    return all(result.success for _, result in results)


@app.command
async def status(account: str | None = None, *, common: Common = COMMON) -> None:
    """Show how the token of an account stands, or of all.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        chosen = await tiger.accounts.list_accounts() if account is None else [await find_account(tiger, account)]
        found = [(each, await tiger.tokens.get_token_status(each)) for each in chosen]
    rows = [_row(each, token) for each, token in found]
    show_rows(common, rows, rows, nothing="There are no accounts: add one with `tigercore account import PATH`.")


def _row(account: TigerAccount, token: TokenStatus) -> dict[str, Any]:
    return {
        "number": account.account_number,
        "name": account.account_name,
        "state": token.state,
        "expires_at": token.expires_at,
        "next_refresh_at": token.next_refresh_at,
        "failures": token.failures,
    }


@app.command
async def history(
    account: str,
    *,
    limit: Annotated[int, Parameter(help="The most to show.", validator=Number(gte=1, lte=_MOST))] = 20,
    common: Common = COMMON,
) -> None:
    """List the attempts to refresh an account's token, newest first.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        attempts = await tiger.tokens.get_token_status_history(await find_account(tiger, account), limit)
    rows = [
        {
            "started_at": a.started_at,
            "ended_at": a.ended_at,
            "trigger": a.trigger,
            "status": a.status,
            "detail": a.detail,
        }
        for a in attempts
    ]
    show_rows(common, rows, rows, nothing="No refresh was tried yet.")


@app.command
async def stats(
    *,
    days: Annotated[int, Parameter(help="How many days to look back.", validator=Number(gte=1, lte=_LONGEST))] = 30,
    common: Common = COMMON,
) -> None:
    """Sum up the refreshes of the last days."""
    async with opened(common.settings()) as tiger:
        summary = await tiger.tokens.get_refresh_statistics(days)
    fields = fields_of(summary)
    counts = {name: [f"{key} {count}" for key, count in fields[name].items()] for name in ("by_status", "by_trigger")}
    show_fields(common, summary, {**fields, **counts})
