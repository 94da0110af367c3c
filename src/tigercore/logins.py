"""LoginManager: what a person consents to under OAuth2 becomes accounts, and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from tigercore._enrolment import type_of
from tigercore._vault import Vault, endpoint_of
from tigercore.accounts import TigerAccountManager
from tigercore.audit import AuditLog
from tigercore.errors import (
    AccountValidationError,
    ClientError,
    TokenManagerError,
    TokenNeedsReauthorisation,
    TokenValidationError,
)
from tigercore.model import (
    AuditResult,
    Authentication,
    Credentials,
    Environment,
    Grant,
    License,
    Secret,
    TigerAccount,
    Token,
)
from tigercore.operations import operation
from tigercore.ports import Authorization, Endpoint, GatewayRequest, Prompt, TigerClient
from tigercore.tokens import TokenManager

_LIST = operation("accounts")


@final
class LoginManager:
    """Let people consent, and keep their grants as the tokens of their accounts."""

    def __init__(
        self, accounts: TigerAccountManager, tokens: TokenManager, vault: Vault, audit: AuditLog, client: TigerClient
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._vault = vault
        self._audit = audit
        self._client = client

    async def log_in(
        self,
        show: Callable[[Prompt], None],
        *,
        environment: Environment = Environment.PRODUCTION,
        license: License | None = None,
        server_url: str | None = None,
        issuer: str | None = None,
        device: bool = False,
    ) -> list[TigerAccount]:
        """Let a person consent, and add every account that the grant is for and that is not there yet.

        :raises ClientError: the person refused, or the issuer or the gateway did.
        :raises AccountValidationError: the grant is for no account that is new.
        """
        endpoint = Endpoint(environment, license, server_url)
        token = await self._client.authorize(Authorization(endpoint, issuer, device=device), show)
        return await self.adopt(token, endpoint)

    async def log_in_again(
        self,
        account: TigerAccount,
        show: Callable[[Prompt], None],
        *,
        issuer: str | None = None,
        device: bool = False,
    ) -> TigerAccount:
        """Let the person consent anew, for all accounts of the grant. Errors as `log_in`."""
        _require_grant(account, "log in to")
        held = await self._accounts.decrypt_credentials(account)
        wanted = Authorization(endpoint_of(account), issuer, client_id=held.tiger_id.reveal(), device=device)
        token = await self._client.authorize(wanted, show)
        return await self._accounts.update_tokens(account.id, token.value)

    async def adopt(self, token: Token, endpoint: Endpoint) -> list[TigerAccount]:
        """Add the accounts of a grant that is there already, the SDK's for example. Errors as `log_in`."""
        client_id = Grant.of(token).client_id
        signer = self._client.signer(Credentials(Secret(client_id), None), endpoint)
        numbers = _numbers(await self._client.call(GatewayRequest(_LIST, {}), signer, token))
        known = {account.account_number for account in await self._accounts.list_accounts()}
        fresh = [number for number in numbers if number not in known]
        if not fresh:
            raise AccountValidationError("the grant is for no account that is not here already")
        return [await self._add(number, token, endpoint) for number in fresh]

    async def log_out(self, account: TigerAccount) -> None:
        """End the grant of an account at its issuer, and here; here also if the issuer does not (protocol 4B.8).

        :raises AccountValidationError: the account signs with a key.
        :raises TokenNeedsReauthorisation: it holds no grant.
        :raises TokenRefreshError: somebody works on it now; log out again.
        :raises TokenManagerError: the grant is gone here, and may live on at the issuer.
        """
        _require_grant(account, "log out of")
        async with self._tokens.writing(account):
            try:
                token = await self._tokens.grant_of_now(account)
                if token is None:
                    raise TokenNeedsReauthorisation(f"{account.account_name} holds no grant")
                await self._client.revoke(self._accounts.signer(account), token)
            except (ClientError, TokenValidationError) as error:
                await self._forget(account, AuditResult.FAILURE, type(error).__name__)
                told = f"{account.account_name}: its grant is deleted here, but its issuer was not reached or refused"
                raise TokenManagerError(f"{told} ({error}): end the consent in the issuer's portal") from error
            await self._forget(account, AuditResult.SUCCESS, "revoked")

    async def _forget(self, account: TigerAccount, result: AuditResult, outcome: str) -> None:
        await self._audit.commit([], "token.revoke", str(account.id), result=result, outcome=outcome)
        await self._tokens.bury(account)

    async def _add(self, number: str, token: Token, endpoint: Endpoint) -> TigerAccount:
        return await self._accounts.create_account(
            account_name=number,
            account_number=number,
            account_type=type_of(number),
            environment=endpoint.environment,
            license=endpoint.license,
            server_url=endpoint.server_url,
            authentication=Authentication.OAUTH2,
            token=token.value,
        )


def _require_grant(account: TigerAccount, what: str) -> None:
    if account.authentication is not Authentication.OAUTH2:
        raise AccountValidationError(f"{account.account_name} signs with a key: there is nothing to {what}")


def _numbers(data: Any) -> list[str]:
    """Return the account numbers of a reply, whatever else it holds."""
    items = data.get("items") if isinstance(data, dict) else data
    rows = items if isinstance(items, list) else []
    found = (row.get("account") for row in rows if isinstance(row, dict))
    return [number for number in found if isinstance(number, str) and number.isalnum()]
