"""`tigercore route`: decisions, without carrying anything out."""

from __future__ import annotations

from cyclopts import App

from tigercore.cli._common import ANY, COMMON, Common, WishOptions, opened
from tigercore.cli._output import show_rows

app = App(name="route", help="Say which account an operation goes to, and why.")


@app.command
async def explain(method: str, *, wish: WishOptions = ANY, common: Common = COMMON) -> None:
    """List every account with its place in the plan, or the reason why it was left out.

    Parameters
    ----------
    method
        An operation type, such as QUOTE, or a gateway method, such as quote_real_time.
    """
    async with opened(common.settings()) as tiger:
        explained = await tiger.router.explain(method, **wish.wish())
    rows = [
        {
            "place": each.place,
            "number": each.account.account_number,
            "name": each.account.account_name,
            "type": each.account.account_type,
            "environment": each.account.environment,
            "reason": each.reason,
        }
        for each in explained
    ]
    show_rows(common, rows, rows, nothing="There are no accounts: add one with `tigercore account import PATH`.")
