"""The failover table of `errors`, as two functions. There is no other rule of failover anywhere."""

from __future__ import annotations

from tigercore.errors import NotProcessed, OrderOutcomeUnknown, OutcomeUnknown, TigerCoreError, TokenManagerError
from tigercore.model import Operation, OperationClass, TigerAccount


def may_try_again(error: TigerCoreError, safety: OperationClass) -> bool:
    """Say whether a failed call may be sent again, there or elsewhere: the failover table of `errors`."""
    match error:
        case NotProcessed() | TokenManagerError():
            return True
        case OutcomeUnknown():
            return safety.read_only
        case _:
            return False


def told(error: TigerCoreError, operation: Operation, account: TigerAccount) -> TigerCoreError:
    """Return what the caller hears: of a write that may have been carried out, that it may have been."""
    if isinstance(error, OutcomeUnknown) and not operation.safety.read_only:
        return OrderOutcomeUnknown(
            f"{operation.method} on {account.account_name} may have been carried out: query the account before "
            f"you do anything else ({error})",
            account=account.account_number,
            method=operation.method,
        )
    return error
