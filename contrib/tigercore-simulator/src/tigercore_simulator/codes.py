"""The authorization codes of the browser flow, which PKCE binds to the client that asked."""

import base64
import hashlib
from random import Random

from attrs import define, frozen

from tigercore_simulator.clients import Client
from tigercore_simulator.denials import Denial, malformed, stale
from tigercore_simulator.forms import Form, need
from tigercore_simulator.grants import Grant
from tigercore_simulator.scopes import read_scopes

_LIFE = 60.0
_SHORTEST, _LONGEST = 43, 128


@frozen
class Asked:
    """Hold what a client asks a person for."""

    client_id: str
    redirect_uri: str
    challenge: str
    scopes: frozenset[str]


@define
class _Code:
    asked: Asked
    grant: Grant
    expires: float
    used: bool = False


def read_asked(query: Form, client: Client) -> Asked:
    """Read what a client asks for, once it is known where the answer goes."""
    if need(query, "response_type") != "code":
        raise Denial("unsupported_response_type", "'response_type' is code")
    if query.get("code_challenge_method") != "S256":
        raise malformed("'code_challenge_method' is S256")
    scopes = read_scopes(query.get("scope", ""))
    return Asked(client.id, query["redirect_uri"], need(query, "code_challenge"), scopes)


class Codes:
    """Issue authorization codes and take them back, each once."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._codes: dict[str, _Code] = {}

    def issue(self, asked: Asked, tiger_id: str, scopes: frozenset[str], now: float) -> str:
        """Return a new code for what a person has allowed."""
        text = f"code-{self._random.randbytes(16).hex()}"
        self._codes[text] = _Code(asked, Grant(asked.client_id, tiger_id, scopes), now + _LIFE)
        return text

    def redeem(self, client: Client, form: Form, now: float) -> Grant:
        """Return the grant of a code; who brings a code twice ends the grant."""
        code = self._codes.get(need(form, "code"))
        if code is None or code.asked.client_id != client.id:
            raise stale("the code is unknown")
        if code.used:
            code.grant.ended = True
            raise stale("the code has been used before")
        _check(code, form, now)
        code.used = True
        return code.grant


def _check(code: _Code, form: Form, now: float) -> None:
    if now >= code.expires:
        raise stale("the code is expired")
    if need(form, "redirect_uri") != code.asked.redirect_uri:
        raise stale("'redirect_uri' is not the one of the code")
    verifier = need(form, "code_verifier")
    if not _SHORTEST <= len(verifier) <= _LONGEST or _s256(verifier) != code.asked.challenge:
        raise stale("'code_verifier' does not fit the challenge")


def _s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
