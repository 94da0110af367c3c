"""The device flow of RFC 8628: codes that one device asks for and a person allows on another."""

from random import Random

from attrs import define

from tigercore_simulator.clients import Client
from tigercore_simulator.denials import Denial, malformed, stale
from tigercore_simulator.forms import Form, need
from tigercore_simulator.grants import Grant, Terms
from tigercore_simulator.scopes import read_scopes
from tigercore_simulator.wire import Json

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_INTERVAL = _SLOWER = 5


@define
class Device:
    """Hold one device that waits for a person."""

    client_id: str
    scopes: frozenset[str]
    expires: float
    interval: float
    polled: float | None = None
    decided: bool = False
    grant: Grant | None = None


class Devices:
    """Give out device codes, let persons decide, and answer the devices that poll."""

    def __init__(self, random: Random, terms: Terms, verification_uri: str) -> None:
        self._random = random
        self._terms = terms
        self._uri = verification_uri
        self._devices: dict[str, Device] = {}
        self._shown: dict[str, Device] = {}

    def begin(self, client: Client, form: Form, now: float) -> Json:
        """Give out a device code, and the code that the person types."""
        scopes = read_scopes(form.get("scope", ""))
        device_code, user_code = f"device-{self._random.randbytes(16).hex()}", self._user_code()
        device = Device(client.id, scopes, now + self._terms.device_life, self._terms.interval or _INTERVAL)
        self._devices[device_code] = self._shown[user_code] = device
        told = {} if self._terms.interval is None else {"interval": self._terms.interval}
        return told | {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": self._uri,
            "verification_uri_complete": f"{self._uri}?user_code={user_code}",
            "expires_in": int(self._terms.device_life),
        }

    def shown(self, user_code: str, now: float) -> Device:
        """Return the device that shows a code and still waits."""
        device = self._shown.get(user_code.strip().upper())
        if device is None or device.decided or now >= device.expires:
            raise malformed("the code is unknown, expired or used; start again on the device")
        return device

    def poll(self, client: Client, form: Form, now: float) -> Grant:
        """Return the grant a person has given a device, or say why there is none yet."""
        device_code = need(form, "device_code")
        device = self._devices.get(device_code)
        if device is None or device.client_id != client.id:
            raise stale("the device code is unknown")
        if now >= device.expires:
            raise Denial("expired_token", "the device code is expired; start again")
        if not device.decided:
            raise _waiting(device, now)
        del self._devices[device_code]
        if device.grant is None:
            raise Denial("access_denied", "the person has denied the request")
        return device.grant

    def _user_code(self) -> str:
        letters = "".join(self._random.choices(_LETTERS, k=8))
        return f"{letters[:4]}-{letters[4:]}"


def _waiting(device: Device, now: float) -> Denial:
    too_early = device.polled is not None and now < device.polled + device.interval
    device.polled = now
    if not too_early:
        return Denial("authorization_pending", "the person has not decided yet")
    device.interval += _SLOWER
    return Denial("slow_down", f"poll no sooner than every {device.interval:g} seconds")
