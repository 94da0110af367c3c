"""The only place where credentials meet a cipher."""

from __future__ import annotations

import json
from typing import final
from uuid import UUID

from tigercore.model import Credentials, Secret, TigerAccount, Token
from tigercore.ports import AccountRow, Cipher, Endpoint, Signer, TigerClient, TokenRow


@final
class Vault:
    """Seal and open the secrets of accounts; keep parsed keys, never their text."""

    def __init__(self, cipher: Cipher, client: TigerClient) -> None:
        self._cipher = cipher
        self._client = client
        self._signers: dict[UUID, tuple[tuple[int, Endpoint], Signer]] = {}
        self._tokens: dict[UUID, tuple[int, Token]] = {}

    def seal(self, account: TigerAccount, credentials: Credentials, sealing: int) -> AccountRow:
        """Return the account's row with its credentials sealed into it for the `sealing`-th time."""
        names = {"tiger_id": credentials.tiger_id, "private_key": credentials.private_key}
        if credentials.secret_key is not None:
            names["secret_key"] = credentials.secret_key
        text = json.dumps({name: secret.reveal() for name, secret in names.items()})
        sealed = self._cipher.encrypt(text.encode(), context=_account_context(account, sealing))
        return AccountRow(account, sealed, sealing)

    def open(self, row: AccountRow) -> Credentials:
        """Return the credentials of a row.

        :raises DecryptionFailed: the row was tampered with.
        :raises KeyUnavailable: the key that sealed it is gone.
        """
        text = self._cipher.decrypt(row.sealed, context=_account_context(row.account, row.sealing))
        return Credentials(**{name: Secret(value) for name, value in json.loads(text).items()})

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Check that the credentials can sign for this endpoint.

        :raises ValueError: they cannot; the message says what to do.
        """
        self._client.validate(credentials, endpoint)

    def signer(self, row: AccountRow) -> Signer:
        """Return the parsed key of an account, from memory if this sealing of it was parsed before."""
        mark = (row.sealing, endpoint_of(row.account))
        cached = self._signers.get(row.id)
        if cached is None or cached[0] != mark:
            cached = self._signers[row.id] = (mark, self._client.signer(self.open(row), mark[1]))
        return cached[1]

    def seal_token(self, account_id: UUID, token: Token, sealing: int) -> bytes:
        """Return a token, sealed for the `sealing`-th time."""
        return self._cipher.encrypt(token.value.reveal().encode(), context=_token_context(account_id, sealing))

    def open_token(self, row: TokenRow) -> Token | None:
        """Return the token of a row, None if it holds none. Errors as `open`."""
        if row.sealed is None:
            return None
        cached = self._tokens.get(row.id)
        if cached is None or cached[0] != row.sealing:
            text = self._cipher.decrypt(row.sealed, context=_token_context(row.id, row.sealing)).decode()
            cached = self._tokens[row.id] = (row.sealing, Token(Secret(text), row.issued_at, row.expires_at))
        return cached[1]

    def developer(self, tiger_id: Secret) -> str:
        """Return the keyed hash by which accounts of one developer know each other."""
        return self._cipher.mac(tiger_id.reveal().encode(), purpose="developer").hex()

    def forget(self, account_id: UUID) -> None:
        """Drop what is kept in memory for an account."""
        self._signers.pop(account_id, None)
        self._tokens.pop(account_id, None)


def endpoint_of(account: TigerAccount) -> Endpoint:
    """Return which gateway serves an account."""
    return Endpoint(account.environment, account.license, account.server_url)


def is_bound_alike(one: TigerAccount, other: TigerAccount) -> bool:
    """Say whether credentials sealed for one of these states of an account open in the other."""
    return _bound_columns(one) == _bound_columns(other)


def _account_context(account: TigerAccount, sealing: int) -> bytes:
    """Bind credentials to their row and to every column that would redirect them if it were flipped in the database."""
    return _bind("tc_account", account.id.hex, "credentials", str(sealing), *_bound_columns(account))


def _bound_columns(account: TigerAccount) -> tuple[str, ...]:
    optional = tuple("" if value is None else f"={value}" for value in (account.license, account.server_url))
    return (account.account_number, account.account_type, account.environment, account.developer, *optional)


def _token_context(account_id: UUID, sealing: int) -> bytes:
    return _bind("tc_token", account_id.hex, "token", str(sealing))


def _bind(*parts: str) -> bytes:
    """Join parts so that no two lists of parts give the same bytes."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
