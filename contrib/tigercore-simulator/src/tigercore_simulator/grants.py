"""The grants of OAuth 2.0: what persons have allowed clients to do, and the tokens that prove it."""

from random import Random

from attrs import define, evolve, field, frozen

from tigercore_simulator.consent import Consent
from tigercore_simulator.denials import stale
from tigercore_simulator.refusals import unauthorized
from tigercore_simulator.scopes import as_text
from tigercore_simulator.wire import Json

_HOUR, _DAY = 3600.0, 86_400.0


@frozen
class Terms:
    """Say how the issuer grants; all times are in seconds.

    A rotated refresh token stays good for ``refresh_grace``. Devices are told to poll every ``interval`` seconds; if it
    is ``None`` they are told nothing, and five seconds hold, as with the broker.
    """

    access_life: float = _HOUR
    refresh_life: float = 15 * _DAY
    refresh_grace: float = 0.0
    device_life: float = 600.0
    interval: int | None = None
    consent: Consent = field(factory=Consent)


USUAL = Terms()


@define
class Grant:
    """Hold what one client may do for one developer; ``generation`` is when its last tokens were minted, in ms."""

    client_id: str
    tiger_id: str
    scopes: frozenset[str]
    generation: int = 0
    ended: bool = False


@frozen
class _Ticket:
    grant: Grant
    generation: int
    expires: float
    refreshes: bool

    def is_good(self, now: float) -> bool:
        return not self.grant.ended and now < self.expires


class Grants:
    """Mint access and refresh tokens, and check the ones that come in."""

    def __init__(self, random: Random, terms: Terms) -> None:
        self._random = random
        self._terms = terms
        self._tickets: dict[str, _Ticket] = {}

    def give(self, grant: Grant, now: float) -> Json:
        """Mint the tokens of a grant."""
        grant.generation = max(int(now * 1000), grant.generation + 1)
        return {
            "access_token": self._mint(grant, now + self._terms.access_life, refreshes=False),
            "refresh_token": self._mint(grant, now + self._terms.refresh_life, refreshes=True),
            "token_type": "Bearer",
            "expires_in": int(self._terms.access_life),
            "scope": as_text(grant.scopes),
        }

    def refresh(self, client_id: str, text: str, now: float) -> Grant:
        """Take a refresh token, which is good no longer than the grace allows, and return what it stands for."""
        ticket = self._tickets.get(text)
        if ticket is None or not ticket.refreshes or ticket.grant.client_id != client_id:
            raise stale("the refresh token is unknown")
        if not ticket.is_good(now):
            raise stale("the refresh token is expired, rotated or revoked")
        self._tickets[text] = evolve(ticket, expires=min(ticket.expires, now + self._terms.refresh_grace))
        return ticket.grant

    def revoke(self, client_id: str, text: str) -> None:
        """End the grant of a token, if it is one of the client's."""
        ticket = self._tickets.get(text)
        if ticket and ticket.grant.client_id == client_id:
            ticket.grant.ended = True

    def revoke_all(self, tiger_id: str) -> None:
        """End all grants of a developer, as they would in the portal."""
        for ticket in self._tickets.values():
            if ticket.grant.tiger_id == tiger_id:
                ticket.grant.ended = True

    def admit(self, text: str, now: float) -> Grant:
        """Return what an access token stands for, or refuse it."""
        ticket = self._tickets.get(text)
        if ticket is None or ticket.refreshes or not ticket.is_good(now):
            raise unauthorized()
        return ticket.grant

    def holder(self, text: str) -> str:
        """Return the ``tiger_id`` a token was minted for, good or not; empty for no token of ours."""
        ticket = self._tickets.get(text)
        return ticket.grant.tiger_id if ticket else ""

    def generation(self, text: str) -> int | None:
        """Return when a token was minted, in milliseconds; ``None`` for no token of ours."""
        ticket = self._tickets.get(text)
        return ticket.generation if ticket else None

    def _mint(self, grant: Grant, expires: float, *, refreshes: bool) -> str:
        text = f"{'refresh' if refreshes else 'access'}-{self._random.randbytes(32).hex()}"
        self._tickets[text] = _Ticket(grant, grant.generation, expires, refreshes)
        return text
