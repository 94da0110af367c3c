"""The one tree of errors. Its lower half is the failover table.

====================  ==========================================  =====================================
error of a call       what is known                               what the router does
====================  ==========================================  =====================================
`NotProcessed`        the gateway did not carry the call out      next candidate, if the class allows
▸ `RateLimited`       the same, and the budget is spent           the same; the account rests until then
▸ `Unauthorized`      the same: the token was refused             the same
`Rejected`            the gateway said no, and why                raise: no other account will differ
`OutcomeUnknown`      it may have been carried out                reads: next attempt; orders: raise
====================  ==========================================  =====================================

An error is built from ids and codes. No error ever holds a secret, a body, a header or a signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

__all__ = [
    "AccountManagerError",
    "AccountNotFoundError",
    "AccountRouterError",
    "AccountValidationError",
    "BackgroundTaskFailed",
    "ClientError",
    "DecryptionFailed",
    "DefaultAccountError",
    "JournalUnusable",
    "KeyUnavailable",
    "NoAccountsAvailableError",
    "NotProcessed",
    "OperationNotSupportedError",
    "OperationVetoed",
    "OrderOutcomeUnknown",
    "OutcomeUnknown",
    "PermissionDenied",
    "PortError",
    "RateLimited",
    "Rejected",
    "SettingsError",
    "SigningFrozen",
    "StaleVersion",
    "StoreUnavailable",
    "TigerCoreError",
    "TokenManagerError",
    "TokenNeedsReauthorisation",
    "TokenRateLimitError",
    "TokenRefreshError",
    "TokenValidationError",
    "Unauthorized",
]


class TigerCoreError(Exception):
    """Anything that tigercore raises on purpose."""


@final
class SettingsError(TigerCoreError):
    """The settings cannot be used; `faults` names every one, each with its path."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


# -- accounts ----------------------------------------------------------------------------------------------


class AccountManagerError(TigerCoreError):
    """An account could not be made, found or changed."""


@final
class AccountNotFoundError(AccountManagerError, LookupError):
    """No account answers to this id, number or name."""


@final
class AccountValidationError(AccountManagerError, ValueError):
    """What was given does not make an account; nothing was written."""


@final
class DefaultAccountError(AccountManagerError):
    """There is no default account of this kind, or this account cannot be it."""


# -- tokens ------------------------------------------------------------------------------------------------


class TokenManagerError(TigerCoreError):
    """A token could not be had."""


@final
class TokenRefreshError(TokenManagerError):
    """The refresh failed; the token that was there is still the one in use."""


@final
class TokenValidationError(TokenManagerError):
    """The token cannot be used as it is."""


@final
class TokenRateLimitError(TokenManagerError):
    """Refreshing is over its budget; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


@final
class TokenNeedsReauthorisation(TokenManagerError):
    """Only a person can bring this token back: make a new one in the developer portal."""


@final
class JournalUnusable(TokenManagerError):
    """The folder of the recovery journal cannot be written: no token is asked for that could be lost."""


# -- routing -----------------------------------------------------------------------------------------------


class AccountRouterError(TigerCoreError):
    """An operation found no way to the gateway."""


@final
class NoAccountsAvailableError(AccountRouterError):
    """No account may carry the operation, or every one was tried; `attempts` tells what each said."""

    def __init__(self, message: str, attempts: Sequence[tuple[str, TigerCoreError]] = ()) -> None:
        self.attempts = tuple(attempts)
        tried = "".join(f"; {account}: {error}" for account, error in self.attempts)
        super().__init__(message + tried)


@final
class OperationNotSupportedError(AccountRouterError):
    """The operation is not of the kind that was asked for."""


@final
class OrderOutcomeUnknown(AccountRouterError):
    """The call that places, changes or moves something may have been carried out: query before anything else."""

    def __init__(self, message: str, *, account: str, method: str) -> None:
        self.account = account
        self.method = method
        super().__init__(message)


# -- ports -------------------------------------------------------------------------------------------------


class PortError(TigerCoreError):
    """A store or a cipher could not do its work."""


@final
class StoreUnavailable(PortError):
    """The store cannot be reached, or its schema is not the one this program needs."""


@final
class StaleVersion(PortError):
    """Somebody wrote this row since it was read; nothing of the batch was written."""


class DecryptionFailed(PortError):
    """These bytes are not a secret that was sealed for this place with a key of this ring."""


class KeyUnavailable(PortError):
    """The key that sealed these bytes, or the root that wraps it, is not here."""


@final
class BackupUnusable(TigerCoreError):
    """This file is no backup that can be restored here, or none can be written there."""


@final
class SigningFrozen(TigerCoreError):
    """Nothing is signed: `tigercore panic` froze the installation, or the account's key is known to be compromised."""


# -- calls: the failover table -----------------------------------------------------------------------------


class ClientError(TigerCoreError):
    """A call to the gateway did not give an answer; `code` is the gateway's, or 401 for that HTTP status, else None."""

    def __init__(self, method: str, detail: str, *, code: int | None = None) -> None:
        self.method = method
        self.detail = detail
        self.code = code
        super().__init__(f"{method}: {detail}" if code is None else f"{method}: code {code}: {detail}")


class NotProcessed(ClientError):
    """The gateway did not carry the call out, provably: it may go to another account."""


@final
class RateLimited(NotProcessed):
    """The budget of this developer and method is spent; `retry_after` is in seconds."""

    def __init__(self, method: str, detail: str, *, retry_after: float, code: int | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(method, detail, code=code)


@final
class Unauthorized(NotProcessed):
    """The gateway refused the token of this account."""


@final
class Rejected(ClientError):
    """The gateway understood the call and refused it, or it cannot be written as a call at all."""


@final
class OutcomeUnknown(ClientError):
    """The call left, and whether it was carried out is not known."""


# -- the rest ----------------------------------------------------------------------------------------------


@final
class PermissionDenied(TigerCoreError):
    """The principal does not hold the scope that this needs."""


@final
class OperationVetoed(TigerCoreError):
    """A plugin refused the operation, or failed while it was asked."""


@final
class BackgroundTaskFailed(TigerCoreError):
    """A task of tigercore's own crashed; the cause is chained."""
