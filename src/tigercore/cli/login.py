"""`tigercore login` and `logout`: accounts by a person's consent, without a key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tigercore.cli._common import COMMON, Common, find_account, opened
from tigercore.cli._exit import UsageError, one_line
from tigercore.cli._output import show_lines, show_rows
from tigercore.errors import AccountValidationError
from tigercore.model import Environment, Grant, License
from tigercore.ports import Endpoint, Prompt

_LARGEST = 64 * 1024


async def login(
    account: str | None = None,
    *,
    device: Annotated[
        bool, Parameter(help="Consent on another machine, with a code; else in this one's browser.", negative=())
    ] = False,
    environment: Annotated[Environment, Parameter(help="Where new accounts live.")] = Environment.PRODUCTION,
    license: Annotated[License | None, Parameter(help="The licence of new accounts.")] = None,
    server_url: Annotated[str | None, Parameter(help="Another gateway for new accounts.")] = None,
    issuer: Annotated[str | None, Parameter(help="Another issuer than the broker's.")] = None,
    from_sdk: Annotated[
        Path | None, Parameter(help="Take over a grant of the vendor's SDK: ~/.tiger/openapi/tokens/CLIENT.json.")
    ] = None,
    common: Common = COMMON,
) -> None:
    """Add the accounts that a person consents to (OAuth2), or renew the consent for one that is there.

    Parameters
    ----------
    account
        Its id, number or exact name, to renew its consent; without it, accounts are added.
    """
    if account is not None and from_sdk is not None:
        raise UsageError("name an account to renew its consent, or --from-sdk to add accounts: not both")
    async with opened(common.settings()) as tiger:
        if account is not None:
            found = await find_account(tiger, account)
            again = await tiger.logins.log_in_again(found, _show, issuer=issuer, device=device)
            return show_lines(common, again, f"{again.account_name} may be used again.")
        if from_sdk is not None:
            endpoint = Endpoint(environment, license, server_url)
            added = await tiger.logins.adopt(_read(from_sdk).token(), endpoint)
        else:
            added = await tiger.logins.log_in(
                _show, environment=environment, license=license, server_url=server_url, issuer=issuer, device=device
            )
    rows = [{"added": each.account_number, "type": each.account_type, "license": each.license} for each in added]
    show_rows(common, added, rows, nothing="No account was added.")


async def logout(account: str, *, common: Common = COMMON) -> None:
    """End the consent for an account at its issuer; every account of the same consent ends with it.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        found = await find_account(tiger, account)
        await tiger.logins.log_out(found)
    show_lines(common, found, f"The consent for {found.account_name} has ended.")


def _show(prompt: Prompt) -> None:
    """Tell the person on stderr, where no program looks for the result."""
    code = f"\nand type the code {prompt.user_code}" if prompt.user_code else ""
    print(f"Open this page within {prompt.expires_in / 60:.0f} minutes:\n{prompt.url}{code}", file=sys.stderr)


def _read(path: Path) -> Grant:
    try:
        with path.open("rb") as file:
            return Grant.of(file.read(_LARGEST).decode())
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else error
    raise AccountValidationError(f"{one_line(str(path))}: {told}")
