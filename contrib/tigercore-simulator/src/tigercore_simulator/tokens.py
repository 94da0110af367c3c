"""The tokens of developers whose licence needs one."""

import base64
from random import Random

from attrs import frozen

from tigercore_simulator import refusals

LICENSE = "TBHK"


@frozen
class Token:
    """Hold one token and the moments between which it is good."""

    text: str
    created: float
    expires: float


class Tokens:
    """Mint tokens and check the ones that come in."""

    def __init__(self, random: Random, lifetime: float, grace: float) -> None:
        self._random = random
        self._lifetime = lifetime
        self._grace = grace
        self._current: dict[str, Token] = {}
        self._leaving: dict[str, Token] = {}

    def current(self, tiger_id: str) -> str:
        """Return the token that is good now, empty for a developer without one."""
        token = self._current.get(tiger_id)
        return token.text if token else ""

    def rotate(self, tiger_id: str, now: float) -> Token:
        """Mint a new token; the old one is good no longer than the grace allows."""
        old = self._current.get(tiger_id)
        if old:
            self._leaving[tiger_id] = Token(old.text, old.created, min(old.expires, now + self._grace))
        self._current[tiger_id] = minted = self._mint(now)
        return minted

    def check(self, tiger_id: str, text: str, now: float) -> None:
        """Refuse a token that is missing, unknown or expired."""
        if not text:
            raise refusals.token("user token can not be empty")
        for token in (self._current.get(tiger_id), self._leaving.get(tiger_id)):
            if token and token.text == text:
                return _check_expiry(token, now)
        raise refusals.token("user token invalid")

    def _mint(self, now: float) -> Token:
        expires = now + self._lifetime
        stamps = f"{int(now * 1000):013d},{int(expires * 1000):013d}".encode()
        return Token(base64.b64encode(stamps + self._random.randbytes(16)).decode(), now, expires)


def _check_expiry(token: Token, now: float) -> None:
    if now >= token.expires:
        raise refusals.token("user token expired invalid")
