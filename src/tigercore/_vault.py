"""The only place where credentials meet a cipher."""

from __future__ import annotations

import json
import os
import weakref
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore._ttlcache import TtlCache
from tigercore.clock import Clock
from tigercore.errors import DecryptionFailed, KeyUnavailable, SigningFrozen
from tigercore.model import AccountStatus, Authentication, Credentials, KeyRing, Secret, TigerAccount, Token
from tigercore.ports import AccountRow, Cipher, Endpoint, Signer, TigerClient, TokenRow

KEPT = 300.0
"""Seconds for which a parsed key or an opened token stays in memory."""


@final
class Vault:
    """Seal and open the secrets of accounts; keep parsed keys for a while, never their text."""

    def __init__(self, cipher: Cipher, client: TigerClient, clock: Clock) -> None:
        self._cipher = cipher
        self._client = client
        self._frozen_at: int | None = None  # the version of the ring that froze, None: accounts sign
        self._signers = TtlCache[tuple[AccountRow, Signer]](clock, KEPT)
        self._tokens = TtlCache[tuple[bytes, Token]](clock, KEPT)
        _open.add(self)

    async def adopt(self, ring: KeyRing) -> None:
        """Use the keys of this state of the ring from now on. Errors as `Cipher.unlock`.

        Only a ring that opens, and is newer than the one that froze, lets accounts sign again.
        """
        self.heed(ring)
        await self._cipher.unlock(ring)
        if self._frozen_at is not None and not ring.frozen and ring.version > self._frozen_at:
            self._frozen_at = None

    def heed(self, ring: KeyRing) -> None:
        """Sign nothing from now on if the ring is frozen, even if it does not open here, or went back.

        After a panic it may be wrapped under another root alone; who can write a false freeze can delete it all.
        """
        if ring.frozen:
            self._frozen_at = max(ring.version, self._frozen_at or 0)

    @property
    def is_frozen(self) -> bool:
        """Say whether nothing is signed."""
        return self._frozen_at is not None

    def seal(self, account: TigerAccount, credentials: Credentials, sealing: int) -> AccountRow:
        """Return the account's row with its credentials sealed into it for the `sealing`-th time."""
        held = attrs.asdict(credentials, recurse=False)
        text = json.dumps({name: secret.reveal() for name, secret in held.items() if secret is not None})
        sealed = self._cipher.encrypt(text.encode(), context=_account_context(account, sealing))
        return AccountRow(account, sealed, sealing, self._cipher.key_of(sealed))

    def open(self, row: AccountRow) -> Credentials:
        """Return the credentials of a row.

        :raises DecryptionFailed: the row was tampered with.
        :raises KeyUnavailable: the key that sealed it is gone.
        """
        text = self._cipher.decrypt(row.sealed, context=_account_context(row.account, row.sealing))
        held = {name: Secret(value) for name, value in json.loads(text).items()}
        return Credentials(held["tiger_id"], held.get("private_key"), held.get("secret_key"))

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Check that the credentials can sign for this endpoint.

        :raises ValueError: they cannot; the message says what to do.
        """
        self._client.validate(credentials, endpoint)

    def signer(self, row: AccountRow) -> Signer:
        """Return the parsed key of an account, from memory if all that its seal binds was so a short while ago.

        :raises SigningFrozen: nothing is signed now, or not for this account.
        """
        self._require_thawed(row.account)
        cached = self._signers.get(row.id)
        if cached is None or (cached[0] is not row and not _is_sealed_alike(cached[0], row)):
            cached = (row, self._client.signer(self.open(row), endpoint_of(row.account)))
            self._signers.put(row.id, cached)
        return cached[1]

    def seal_token(self, row: TokenRow, token: Token) -> TokenRow:
        """Return a row with a token sealed into it, once more than before."""
        context = _token_context(row.id, row.sealing + 1)
        sealed = self._cipher.encrypt(token.value.reveal().encode(), context=context)
        return attrs.evolve(row, sealed=sealed, sealing=row.sealing + 1, kek=self._cipher.key_of(sealed))

    def open_token(self, row: TokenRow) -> Token | None:
        """Return the token of a row, None if it holds none. Errors as `open`."""
        if row.sealed is None:
            return None
        cached = self._tokens.get(row.id)
        if cached is None or cached[0] != row.sealed:  # not its count: another process may have sealed another one
            text = self._cipher.decrypt(row.sealed, context=_token_context(row.id, row.sealing)).decode()
            cached = (row.sealed, Token(Secret(text), row.issued_at, row.expires_at))
            self._tokens.put(row.id, cached)
        return cached[1]

    def readable_token(self, row: TokenRow) -> Token | None:
        """Return the token of a row, None if it holds none, or one that does not open: a sibling that is damaged."""
        try:
            return self.open_token(row)
        except (DecryptionFailed, KeyUnavailable):
            return None

    def reseal(self, row: AccountRow, account: TigerAccount | None = None) -> AccountRow:
        """Return a row sealed once more, with the key that is active now, as this state of its account.

        Errors as `open`.
        """
        sealing, account = row.sealing + 1, account or row.account
        sealed = self._again(row.sealed, _account_context(row.account, row.sealing), _account_context(account, sealing))
        return AccountRow(account, sealed, sealing, self._cipher.key_of(sealed))

    def reseal_token(self, row: TokenRow) -> TokenRow:
        """Return a row that holds a token sealed once more, with the key that is active now. Errors as `open`."""
        sealing = row.sealing + 1
        sealed = self._again(row.sealed or b"", _token_context(row.id, row.sealing), _token_context(row.id, sealing))
        return attrs.evolve(row, sealed=sealed, sealing=sealing, kek=self._cipher.key_of(sealed))

    def seal_entry(self, name: str, text: str) -> bytes:
        """Return an entry of the recovery journal, which opens under this name only."""
        return self._cipher.encrypt(text.encode(), context=_bind(b"tc_journal", name.encode()))

    def open_entry(self, name: str, sealed: bytes) -> str:
        """Return what `seal_entry` was given. Errors as `open`."""
        return self._cipher.decrypt(sealed, context=_bind(b"tc_journal", name.encode())).decode()

    def key_of(self, row: AccountRow | TokenRow) -> int:
        """Return the key that sealed what is in a row, by the sealed bytes themselves. Errors as `Cipher.key_of`."""
        return self._cipher.key_of(row.sealed or b"")

    def verify(self, row: AccountRow | TokenRow) -> None:
        """Pass if what is sealed in a row opens, with the key that the row names. Errors as `open`."""
        if row.sealed is None:
            return
        if isinstance(row, AccountRow):
            self._cipher.decrypt(row.sealed, context=_account_context(row.account, row.sealing))
        else:
            self._cipher.decrypt(row.sealed, context=_token_context(row.id, row.sealing))
        if (there := self._cipher.key_of(row.sealed)) != row.kek:
            raise DecryptionFailed(f"row {row.id} says that key {row.kek} sealed it, but it was key {there}")

    def developer(self, tiger_id: Secret) -> str:
        """Return the keyed hash by which accounts of one developer know each other."""
        return self._cipher.mac(tiger_id.reveal().encode(), purpose="developer").hex()

    def forget(self, account_id: UUID) -> None:
        """Drop what is kept in memory for an account."""
        self._signers.drop(account_id)
        self._tokens.drop(account_id)

    def forget_all(self) -> None:
        """Drop everything that was opened."""
        self._signers.clear()
        self._tokens.clear()

    async def sweep(self) -> None:
        """Drop what was opened and has had its time, for ever: an idle account's key does not stay in memory."""
        while True:
            await trio.sleep(KEPT / 5)
            self._signers.sweep()
            self._tokens.sweep()

    def _again(self, sealed: bytes, before: bytes, after: bytes) -> bytes:
        """Seal again, and open it: what nobody could open must not replace what somebody can."""
        plaintext = self._cipher.decrypt(sealed, context=before)
        again = self._cipher.encrypt(plaintext, context=after)
        if self._cipher.decrypt(again, context=after) != plaintext:
            raise DecryptionFailed("the cipher does not open what it seals: nothing was replaced")
        return again

    def _require_thawed(self, account: TigerAccount) -> None:
        if self.is_frozen:
            raise SigningFrozen("nothing is signed: this installation is frozen; see `tigercore cipher status`")
        if account.status is AccountStatus.COMPROMISED:
            raise SigningFrozen(
                f"{account.account_name}: its private key is known to be compromised: give it a new one, "
                "`tigercore account update --private-key-file FILE`"
            )


_open: weakref.WeakSet[Vault] = weakref.WeakSet()


def _forget_all() -> None:
    for vault in _open:
        vault.forget_all()


os.register_at_fork(after_in_child=_forget_all)


def endpoint_of(account: TigerAccount) -> Endpoint:
    """Return which gateway serves an account."""
    return Endpoint(account.environment, account.license, account.server_url)


def is_bound_alike(one: TigerAccount, other: TigerAccount) -> bool:
    """Say whether credentials sealed for one of these states of an account open in the other."""
    return _bound_columns(one) == _bound_columns(other)


def _is_sealed_alike(one: AccountRow, other: AccountRow) -> bool:
    """Say whether two states of a row hold the same credentials for the same place, so that both open or neither."""
    same = one.sealed == other.sealed and one.sealing == other.sealing
    return same and is_bound_alike(one.account, other.account)


def _account_context(account: TigerAccount, sealing: int) -> bytes:
    """Bind credentials to their row and to every column that would redirect them if it were flipped in the database."""
    columns = [column.encode() for column in _bound_columns(account)]
    return _bind(b"tc_account", account.id.bytes, b"credentials", _number(sealing), *columns)


def _bound_columns(account: TigerAccount) -> tuple[str, ...]:
    optional = tuple("" if value is None else f"={value}" for value in (account.license, account.server_url))
    marks = []  # no flip of a column ends what they say
    if account.status is AccountStatus.COMPROMISED:
        marks.append("COMPROMISED")
    if account.authentication is Authentication.OAUTH2:
        marks.append("OAUTH2")
    return (account.account_number, account.account_type, account.environment, account.developer, *optional, *marks)


def _token_context(account_id: UUID, sealing: int) -> bytes:
    return _bind(b"tc_token", account_id.bytes, b"token", _number(sealing))


def _number(sealing: int) -> bytes:
    return (sealing % 2**64).to_bytes(8, "big")  # a number below 0 is somebody's who can write to the store


def _bind(*parts: bytes) -> bytes:
    """Join parts, each behind its length, so that no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
