"""What a person's consent under OAuth2 gives: the text that is kept as an account's token (protocol 4B.7, 4B.10)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Self, final

import attrs

from tigercore.secret import Secret
from tigercore.token import Token

_NOT_ONE: Final = "not an OAuth2 grant: JSON with issuer, client_id, access_token, refresh_token, expires_at (ms)"
_LONGEST: Final = 64 * 1024


@final
@attrs.frozen
class Grant:
    """An access token, and the refresh token that gives the next one; moments are of the issuer's clock."""

    issuer: str
    client_id: str
    access_token: Secret
    refresh_token: Secret
    scope: str
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, token: Token | Secret | str) -> Self:
        """Read a grant, as this class or the vendor's SDK has written it.

        :raises ValueError: the text is not one; the message does not show it.
        """
        secret = token.value if isinstance(token, Token) else token
        text = secret.reveal() if isinstance(secret, Secret) else secret
        try:
            return cls._structured(json.loads(text)) if len(text) <= _LONGEST else _refuse()
        except (LookupError, TypeError, OverflowError, OSError, ValueError, RecursionError):
            pass  # its message would show a part of the text
        raise ValueError(_NOT_ONE)

    def token(self) -> Token:
        """Return the grant as the token of an account."""
        held = {
            "schema_version": 1,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "access_token": self.access_token.reveal(),
            "refresh_token": self.refresh_token.reveal(),
            "token_type": "Bearer",
            "scope": self.scope,
            "issued_at": _milliseconds(self.issued_at),
            "expires_at": _milliseconds(self.expires_at),
        }
        return Token(Secret(json.dumps(held)), self.issued_at, self.expires_at)

    @classmethod
    def _structured(cls, held: Any) -> Self:
        ends = _moment(held["expires_at"])
        access, again = (Secret(_text(held[name])) for name in ("access_token", "refresh_token"))
        # The SDK's files do not say when a token was born: an hour is what it takes for its life (protocol 4B.7).
        born = _moment(held.get("issued_at", held["expires_at"] - 3_600_000))
        issuer, client_id = (_text(held[name]) for name in ("issuer", "client_id"))
        return cls(issuer, client_id, access, again, str(held.get("scope", "")), born, ends)


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value else _refuse()


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC) if type(value) is int else _refuse()


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _refuse() -> Any:
    raise ValueError
