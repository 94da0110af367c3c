"""`tigercore call`: one call to the gateway."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from tigercore.app import Tigercore
from tigercore.cli._common import ANY, COMMON, Common, WishOptions, find_account, opened
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._input import confirm, read_params
from tigercore.cli._output import as_json
from tigercore.errors import TigerCoreError
from tigercore.model import Operation, OperationClass
from tigercore.operations import CATALOGUE, operation


async def call(
    method: str,
    *,
    params: Annotated[
        str, Parameter(help="A JSON object, or @FILE, or - for stdin.", allow_leading_hyphen=True)
    ] = "{}",
    account: Annotated[str | None, Parameter(help="The one account to use: id, number or exact name.")] = None,
    wish: WishOptions = ANY,
    yes: Annotated[bool, Parameter(help="Do not ask before what trades or moves money.", negative=())] = False,
    common: Common = COMMON,
) -> int:
    """Call the gateway on the right account, and print the data of its reply as JSON.

    What trades or moves money is asked about first. If it may have been carried out although no answer came, the exit
    code is 3: query before anything else.

    Parameters
    ----------
    method
        An operation type, such as QUOTE, or a gateway method, such as quote_real_time.
    """
    wanted, given = operation(method), read_params(params)
    if wanted.safety is OperationClass.TOKEN:
        raise UsageError(
            f"{wanted.method}: its reply is a new token, which would be lost: use `tigercore token refresh`"
        )
    settings = common.settings()
    if not _may(wanted, yes):
        print(as_json(None))
        return Exit.FAILED
    async with opened(settings) as tiger:
        print(as_json(await _answer(tiger, method, given, account, wish)))
    return Exit.DONE


async def _answer(tiger: Tigercore, method: str, params: dict[str, Any], account: str | None, wish: WishOptions) -> Any:
    pinned = None if account is None else await find_account(tiger, account)
    try:
        return await tiger.execute(method, params, account=pinned, **wish.wish())
    except TigerCoreError:
        raise
    except ValueError as error:  # a number that JSON's readers would round
        raise UsageError(f"--params: {error}") from None


def _may(wanted: Operation, yes: bool) -> bool:
    if wanted.safety.read_only:
        return True
    known = "" if wanted.method in CATALOGUE else ", which is not in the catalogue and may move money"
    return confirm(f"send {wanted.method}{known}", yes=yes)
