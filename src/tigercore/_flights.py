"""Work on a developer's token, one at a time in this process, which any number of callers await."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

import attrs
import trio

from tigercore.errors import TigerCoreError, TokenManagerError, TokenRefreshError
from tigercore.model import TigerAccount


@final
@attrs.define
class _Flight:
    name: str
    done: trio.Event = attrs.field(factory=trio.Event)
    error: TokenManagerError | None = None


@final
class Flights:
    """Share work: who asks for what is under way waits for it; who asks for other work waits until that is done."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[str, _Flight] = {}

    async def share(
        self, account: TigerAccount, name: str, work: Callable[..., Awaitable[object]], *args: object
    ) -> None:
        """Wait for this work on a developer's token if it is under way, else start it once no other is.

        :raises TokenManagerError: of the work.
        """
        key = account.developer or str(account.id)
        while (flight := self._flights.get(key)) is not None and flight.name != name:
            await flight.done.wait()
        if flight is None:
            flight = self._flights[key] = _Flight(name)
            try:
                self._nursery.start_soon(self._fly, key, flight, account, work, *args)
            except RuntimeError:  # the nursery takes nothing more
                del self._flights[key]
                raise TokenRefreshError(f"{account.account_name}: tigercore is closing") from None
        await flight.done.wait()
        if flight.error is not None:
            raise flight.error

    async def _fly(
        self, key: str, flight: _Flight, account: TigerAccount, work: Callable[..., Awaitable[object]], *args: object
    ) -> None:
        """Do the work apart from its callers, so that one who gives up takes nothing from the others."""
        flight.error = TokenRefreshError(f"{account.account_name}: the work on its token was interrupted")
        try:
            await work(*args)
            flight.error = None
        except TokenManagerError as error:
            flight.error = error
        except TigerCoreError as error:
            flight.error = TokenRefreshError(f"{account.account_name}: {error}")
        finally:
            del self._flights[key]
            flight.done.set()
