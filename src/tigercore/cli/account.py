"""`tigercore account`: one command for each thing that is done to an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from tigercore.cli._common import COMMON, Common, find_account, make_private, opened
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._fields import FIELDS, NOTHING, SECRETS, AccountFields, SecretFiles
from tigercore.cli._input import ask_secret, confirm
from tigercore.cli._output import fields_of, show_fields, show_lines, show_rows
from tigercore.model import AccountStatus, AccountType, Environment, License, TigerAccount

app = App(name="account", help="Add, import, show, change, export and delete accounts.")
app.command("tigercore.cli.account_import:import_accounts", name="import", help="Add accounts from the portal's files.")


@app.command
async def add(
    *,
    number: Annotated[str, Parameter(help="The broker's number of the account.")],
    fields: AccountFields = FIELDS,
    files: SecretFiles = SECRETS,
    common: Common = COMMON,
) -> None:
    """Add an account. Its secrets are asked for without echo, or read from files; never from an argument."""
    settings = common.settings()
    secrets = files.read()
    needed = ["tiger_id", "private_key", *(["token"] if fields.license is License.TBHK else [])]
    secrets |= {name: ask_secret(name) for name in needed if name not in secrets}
    given = {"account_name": number, **fields.given(), "account_number": number, **secrets}
    async with opened(settings) as tiger:
        account = await tiger.accounts.create_account(**given)
    show_lines(common, account, f"Added {_called(account)}.")


@app.command(name="list")
async def list_accounts(
    *,
    status: Annotated[AccountStatus | None, Parameter(help="Only accounts of this status.")] = None,
    type: Annotated[AccountType | None, Parameter(help="Only accounts of this type.")] = None,
    environment: Annotated[Environment | None, Parameter(help="Only accounts of this environment.")] = None,
    tag: Annotated[tuple[str, ...], Parameter(help="Only accounts with this tag; repeatable.", negative=())] = (),
    common: Common = COMMON,
) -> None:
    """List the accounts."""
    async with opened(common.settings()) as tiger:
        accounts = await tiger.accounts.list_accounts(
            status=status, account_type=type, environment=environment, tags=tag
        )
    nothing = "There is no such account: add one with `tigercore account import PATH` or `account add`."
    show_rows(common, accounts, [_row(each) for each in accounts], nothing=nothing)


@app.command
async def show(account: str, *, common: Common = COMMON) -> None:
    """Show an account and how its token stands; its secrets are never shown.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        found = await find_account(tiger, account)
        token = await tiger.tokens.get_token_status(found)
    document = {**fields_of(found), "token": fields_of(token)}
    shown = {**fields_of(found), "token": token.state, "token_expires_at": token.expires_at}
    show_fields(common, document, shown)


@app.command
async def update(
    account: str,
    *,
    number: Annotated[str | None, Parameter(help="Another number.")] = None,
    status: Annotated[AccountStatus | None, Parameter(help="Whether it takes part in routing.")] = None,
    fields: AccountFields = FIELDS,
    files: SecretFiles = SECRETS,
    common: Common = COMMON,
) -> None:
    """Change an account: only what is named. Permissions and tags replace those that are there.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    changes = {**fields.given(), **files.read()}
    changes |= {name: value for name, value in (("account_number", number), ("status", status)) if value is not None}
    if not changes:
        raise UsageError(NOTHING)
    token = changes.pop("token", None)
    async with opened(common.settings()) as tiger:
        found = await find_account(tiger, account)
        if changes:
            found = await tiger.accounts.update_account(found.id, changes)
        if token is not None:
            found = await tiger.accounts.update_tokens(found.id, token)
    show_lines(common, found, f"Changed {_called(found)}.")


@app.command
async def delete(
    account: str, *, yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False, common: Common = COMMON
) -> int:
    """Delete an account and its secrets; its audit lines stay.

    Parameters
    ----------
    account
        Its id, number or exact name.
    """
    async with opened(common.settings()) as tiger:
        found = await find_account(tiger, account)
        if not confirm(f"delete {_called(found)} with its secrets", yes=yes):
            show_lines(common, {"deleted": None}, "Nothing was deleted.")
            return Exit.FAILED
        await tiger.accounts.delete_account(found.id)
    show_lines(common, {"deleted": found.id}, f"Deleted {_called(found)}.")
    return Exit.DONE


@app.command
async def export(
    account: str,
    directory: Path,
    *,
    overwrite: Annotated[bool, Parameter(help="Replace what is there.", negative=())] = False,
    common: Common = COMMON,
) -> None:
    """Write an account as the portal's file, which the broker's SDK reads: it holds the private key in the clear.

    Parameters
    ----------
    account
        Its id, number or exact name.
    directory
        Where the file goes; made if it is not there.
    """
    async with opened(common.settings()) as tiger:
        found = await find_account(tiger, account)
        make_private(directory)
        file = await tiger.accounts.export_account_to_properties(found.id, directory, overwrite=overwrite)
    warning = "It holds the private key in the clear: delete it when it is no longer needed."
    show_lines(common, {"file": file}, f"Wrote {_called(found)} to {file}.", warning)


def _called(account: TigerAccount) -> str:
    name, number = account.account_name, account.account_number
    return number if name == number else f"{name} ({number})"


def _row(account: TigerAccount) -> dict[str, Any]:
    return {
        "number": account.account_number,
        "name": account.account_name,
        "type": account.account_type,
        "environment": account.environment,
        "license": account.license,
        "status": account.status,
        "permissions": account.market_permissions,
        "default": list(_defaults(account)),
    }


def _defaults(account: TigerAccount) -> Iterator[str]:
    if account.is_default_trading:
        yield "trading"
    if account.is_default_data:
        yield "data"
