"""How often the issuer is asked whether a person has consented with a code, and what ends it (RFC 8628, 3.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, final

import trio

from tigercore.errors import ClientError, OutcomeUnknown, Rejected
from tigercore.model import Grant

__all__ = ["POLL", "NotYet", "Polls", "Unanswered"]

POLL: Final = "oauth2_poll"  # the one request that is sent again, until the person has decided
_SLOWER: Final = 5  # seconds more after each `slow_down`
_SPENT: Final = ("invalid_grant", "expired_token")  # how a code is refused whose grant was given out before


@final
class NotYet(ClientError):
    """The person has not consented yet; `slower` says that the issuer is asked too often."""

    def __init__(self, method: str, *, slower: bool) -> None:
        self.slower = slower
        super().__init__(method, "nobody has consented yet")


@final
class Unanswered(ClientError):
    """No reply to a poll came, or HTTP 429 or 5xx did; `rest` is for how many seconds the issuer wants no more."""

    def __init__(self, detail: str, rest: float = 0.0) -> None:
        self.rest = rest
        super().__init__(POLL, detail)


@final
class Polls:
    """Ask until the person has decided, and later after a poll without an answer (RFC 8628, 3.5)."""

    # No layer that retries: to ask again is the flow itself, and a poll that is lost is a "not yet" to it like others.

    def __init__(self, ask: Callable[[], Awaitable[Grant]], pause: float) -> None:
        self._ask = ask
        self._pause, self._rest = pause, 0.0
        self._lost: str | None = None  # why the last poll brought no answer

    async def grant(self) -> Grant:
        """Return the grant. :raises Rejected: the issuer refuses it for good."""
        while True:
            await trio.sleep(max(self._pause, self._rest))
            self._rest, before, self._lost = 0.0, self._lost, "the code expired first"
            try:
                return await self._ask()
            except NotYet as told:
                self._lost = None
                self._pause += _SLOWER if told.slower else 0
            except Unanswered as told:
                self._slow_down(told)
            except Rejected as told:
                refused = told
                break
        raise _explained(refused, before)

    def expired(self, method: str, minutes: float) -> ClientError:
        """Return what to say when the code has expired."""
        if self._lost is None:
            return Rejected(method, f"nobody consented within {minutes:.0f} minutes")
        told = f"the code has expired after {minutes:.0f} minutes, and the last poll brought no answer: {self._lost}"
        return OutcomeUnknown(method, f"{told}; start the login anew")

    def _slow_down(self, told: Unanswered) -> None:
        self._lost = told.detail
        self._pause *= 2
        left = trio.current_effective_deadline() - trio.current_time()
        self._rest = told.rest if told.rest < left else 0.0


def _explained(refused: Rejected, lost: str | None) -> Rejected:
    if lost is None or not refused.detail.startswith(_SPENT):
        return refused
    told = "a poll before brought no answer, and perhaps lost the grant: start the login anew"
    return Rejected(refused.method, f"{refused.detail}; {told}")
