"""The tokens of developers whose licence needs one."""

import base64
from collections import defaultdict
from random import Random

from attrs import field, frozen

from tigercore_simulator import refusals

LICENSE = "TBHK"
REFRESH = "user_token_refresh"


@frozen
class Token:
    """Hold one token and the moments between which it is good, in milliseconds."""

    text: str = field(repr=False)
    created_ms: int
    expires_ms: int


@frozen
class _Left:
    token: Token
    until_ms: int


class Tokens:
    """Mint tokens and check the ones that come in.

    A rotated token stays good for the grace, in seconds. A lenient gateway lets a token that it has rotated out be
    refreshed for as long as the token itself would have lived; a strict one does not.
    """

    def __init__(self, random: Random, lifetime: float, grace: float, *, lenient: bool = False) -> None:
        self._random = random
        self._lifetime_ms = int(lifetime * 1000)
        self._grace_ms = int(grace * 1000)
        self._lenient = lenient
        self._current: dict[str, Token] = {}
        self._left: defaultdict[str, dict[str, _Left]] = defaultdict(dict)

    def current(self, tiger_id: str) -> str:
        """Return the token that is good now, empty for a developer without one."""
        token = self._current.get(tiger_id)
        return token.text if token else ""

    def generation(self, tiger_id: str, text: str) -> int | None:
        """Return when a token was minted, in milliseconds; ``None`` for what was never a token of the developer."""
        current, left = self._current.get(tiger_id), self._left[tiger_id].get(text)
        if current and current.text == text:
            return current.created_ms
        return left.token.created_ms if left else None

    def rotate(self, tiger_id: str, now: float) -> Token:
        """Mint a new token; the old one is good no longer than the grace allows."""
        old, now_ms = self._current.get(tiger_id), int(now * 1000)
        if old:
            self._left[tiger_id][old.text] = _Left(old, min(old.expires_ms, now_ms + self._grace_ms))
            # No two tokens of a developer are of the same millisecond: the later one is always told by its moment.
            now_ms = max(now_ms, old.created_ms + 1)
        self._current[tiger_id] = minted = self._mint(now_ms)
        return minted

    def check(self, tiger_id: str, text: str, now: float, *, method: str = "") -> None:
        """Refuse a token that is missing, unknown or expired."""
        if not text:
            raise refusals.token("user token can not be empty")
        until = self._until(tiger_id, text, method)
        if until is None:
            raise refusals.token("user token invalid")
        if now * 1000 >= until:
            raise refusals.token("user token expired invalid")

    def _until(self, tiger_id: str, text: str, method: str) -> int | None:
        current, left = self._current.get(tiger_id), self._left[tiger_id].get(text)
        if current and current.text == text:
            return current.expires_ms
        if left and self._lenient and method == REFRESH:
            return left.token.expires_ms
        return left.until_ms if left else None

    def _mint(self, now_ms: int) -> Token:
        expires_ms = now_ms + self._lifetime_ms
        stamps = f"{now_ms:013d},{expires_ms:013d}".encode()
        return Token(base64.b64encode(stamps + self._random.randbytes(16)).decode(), now_ms, expires_ms)
