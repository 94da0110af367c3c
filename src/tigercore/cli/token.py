"""`tigercore token`: how the tokens stand, and new ones."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Any, Final
from uuid import UUID

import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from tigercore.app import Tigercore
from tigercore.cli._common import COMMON, Common, find_account, opened
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._output import fields_of, gauge, progress, show_fields, show_rows
from tigercore.model import RefreshResult, TigerAccount, TokenState, TokenStatus

_MOST: Final = 10_000
_LONGEST: Final = 3660  # days; ten years
app = App(name="token", help="Refresh tokens, and see how they stand.")


@app.command
async def refresh(
    *accounts: str,
    all: Annotated[bool, Parameter(help="Every account that needs a token.", negative=())] = False,
    due: Annotated[bool, Parameter(help="Every account whose token is due.", negative=())] = False,
    common: Common = COMMON,
) -> int:
    """Get new tokens from the gateway; the old ones die.

    Parameters
    ----------
    accounts
        Ids, numbers or exact names.
    """
    if bool(accounts) + all + due != 1:
        raise UsageError("name the accounts to refresh, or --all for every one, or --due for those that are due")
    settings = common.settings()
    async with opened(settings) as tiger:
        if due:
            results = await _due(tiger)
        elif all:
            chosen = [each for each in await tiger.accounts.list_accounts() if each.needs_token]
            results = await _refreshed(tiger, chosen, settings.tokens.parallel)
        else:
            chosen = [await find_account(tiger, each) for each in accounts]
            results = await _refreshed(tiger, chosen, settings.tokens.parallel)
    rows = [
        {"number": each.account_number, "name": each.account_name, "refreshed": result.success, "error": result.error}
        for each, result in results
    ]
    show_rows(common, rows, rows, nothing="No token is due." if due else "No account needs a token.")
    return Exit.DONE if all_well(results) else Exit.FAILED


async def _due(tiger: Tigercore) -> list[tuple[TigerAccount, RefreshResult]]:
    with gauge("refreshing") as step:
        results = await tiger.tokens.refresh_expired_tokens(progress=step)
    return [(await tiger.accounts.get_account_by_id(id), result) for id, result in results.items()]


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
    before: Annotated[UUID | None, Parameter(help="Only what is older than this attempt: the next page.")] = None,
    common: Common = COMMON,
) -> None:
    """List the attempts to refresh the token of an account's developer, newest first.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        found = await find_account(tiger, account)
        attempts = await tiger.tokens.get_token_status_history(found, limit, before=before)
    names = ("started_at", "ended_at", "trigger", "status", "detail", "id")
    rows = [{name: getattr(attempt, name) for name in names} for attempt in attempts]
    show_rows(common, rows, rows, nothing="No refresh was tried.")


@app.command
async def stats(
    account: str | None = None,
    *,
    days: Annotated[int, Parameter(help="How many days to look back.", validator=Number(gte=1, lte=_LONGEST))] = 30,
    common: Common = COMMON,
) -> None:
    """Sum up the refreshes of the last days, of one account's developer or of all.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        found = None if account is None else await find_account(tiger, account)
        summary = await tiger.tokens.get_refresh_statistics(days, found)
    fields = fields_of(summary)
    counted = ("by_status", "by_trigger", "causes")
    counts = {name: [f"{count} {key}" for key, count in fields[name].items()] for name in counted}
    show_fields(common, summary, {**fields, **counts})


@app.command
async def watch(
    *,
    every: Annotated[float, Parameter(help="Seconds between two looks.", validator=Number(gte=0.2, lte=3600))] = 5.0,
    times: Annotated[
        int | None, Parameter(help="How often to look; else until Ctrl-C.", validator=Number(gte=1))
    ] = None,
    common: Common = COMMON,
) -> None:
    """Show again and again how the tokens of all accounts stand, those that need somebody first."""
    async with opened(common.settings()) as tiger:
        for looked in count(1):
            found = [(each, await tiger.tokens.get_token_status(each)) for each in await tiger.accounts.list_accounts()]
            rows = [_row(each, token) for each, token in sorted(found, key=_urgency) if each.needs_token]
            show_rows(common, rows, rows, nothing="No account needs a token.")
            if looked == times:
                return
            await trio.sleep(every)


def _urgency(found: tuple[TigerAccount, TokenStatus]) -> tuple[bool, str]:
    """Order tokens that live behind all others, and those by what is to be done next."""
    _, token = found
    return token.state is TokenState.VALID, str(token.next_refresh_at or token.expires_at)
