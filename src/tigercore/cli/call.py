"""`tigercore call`: one call to the gateway."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from tigercore.cli._common import ANY, COMMON, Common, WishOptions, find_account, opened
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._input import confirm, read_params
from tigercore.cli._output import as_json
from tigercore.cli._sending import Sending
from tigercore.cli._streams import write
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

    What trades or moves money is asked about first. If it may have been carried out although no answer came, or none
    could be printed, the exit code is 3: query before anything else.

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
    sending = Sending(wanted.method, account)

    async def work() -> None:
        async with opened(settings) as tiger:
            pinned = None if account is None else await find_account(tiger, account)
            execute = partial(tiger.execute, method, given, account=pinned, **wish.wish())
            if wanted.safety.read_only:
                write(as_json(await execute()))
            else:
                await sending.send(execute)

    await (work() if wanted.safety.read_only else sending.carry_out(work))
    return Exit.DONE


def _may(wanted: Operation, yes: bool) -> bool:
    if wanted.safety.read_only:
        return True
    known = "" if wanted.method in CATALOGUE else ", which is not in the catalogue and may move money"
    return confirm(f"send {wanted.method}{known}", yes=yes)
