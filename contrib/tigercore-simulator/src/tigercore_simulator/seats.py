"""Quote permissions: one device at a time for each developer."""

from tigercore_simulator.refusals import not_seated
from tigercore_simulator.wire import Json

_PERMISSIONS = ("usQuoteBasic", "usStockQuote", "usOptionQuote", "hkStockQuoteLv2")


class Seats:
    """Remember which device holds the quotes of each developer."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def grab(self, tiger_id: str, device: str) -> list[Json]:
        """Give the quotes to a device, and take them from the one before."""
        self._holders[tiger_id] = device
        return permissions()

    def check(self, tiger_id: str, device: str) -> None:
        """Refuse a device when another one has grabbed the quotes."""
        if self._holders.get(tiger_id, device) != device:
            raise not_seated()


def permissions() -> list[Json]:
    """Return the permissions every developer has, for ever."""
    return [{"name": name, "expireAt": -1} for name in _PERMISSIONS]
