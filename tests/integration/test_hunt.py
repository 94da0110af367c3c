"""The hunt for secrets finds what does leak."""

from __future__ import annotations

import base64
import codecs
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.hunt import found
from tests.integration.test_no_secret_leaves import log as log  # the same log that is searched there
from tests.integration.test_no_secret_leaves import private_key, with_locals

_PLANTED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda secret: secret,
    "reversed": lambda secret: secret[::-1],
    "in hex": lambda secret: secret.hex().encode(),
    "in upper hex": lambda secret: secret.hex().upper().encode(),
    "in base64": base64.b64encode,
    "in base64 after one byte": lambda secret: base64.b64encode(b"?" + secret + b"??"),
    "in base64 after two bytes": lambda secret: base64.b64encode(b"??" + secret + b"?"),
    "in base64url": lambda secret: base64.urlsafe_b64encode(b"?" + secret + b"?"),
    "in UTF-16": lambda secret: codecs.encode(secret.decode("latin-1"), "utf-16-le"),
    "in UTF-16, the other way": lambda secret: codecs.encode(secret.decode("latin-1"), "utf-16-be"),
    "as Python shows it": lambda secret: repr(secret).encode(),
}


@pytest.mark.parametrize("way", _PLANTED)
@pytest.mark.parametrize("secret", [b"20150001", bytes(range(224, 256)), b"a token of any length=="])
def test_the_hunt_finds_a_secret_that_does_leak(way: str, secret: bytes) -> None:
    assert [("it", "log")] == found({"it": secret}, {"log": b"before" + _PLANTED[way](secret) + b"after", "db": b"x"})


@pytest.mark.parametrize("write", [str, json.dumps, lambda pem: "".join(pem.splitlines()[1:-1])])
def test_the_hunt_finds_a_private_key_that_does_leak(write: Callable[[str], str]) -> None:
    pem = private_key()
    assert [("it", "log")] == found({"it": pem}, {"log": write(pem).encode(), "db": private_key().encode()})


async def test_the_hunt_sees_what_is_logged_and_what_a_traceback_holds(log: io.StringIO) -> None:
    logging.getLogger("anything").debug("token is %s", "abc-20150001-def")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        codecs.getdecoder("hex_codec")  # a frame of another's, whose locals are seen
        json.loads('"x"', parse_float=None, object_hook=None, cls=_Careless)
    log.writelines(with_locals(caught.value))
    secrets = {"logged": "20150001", "local": "a local secret"}
    assert [("logged", "log"), ("local", "log")] == found(secrets, {"log": log.getvalue().encode()})


class _Careless(json.JSONDecoder):
    def decode(self, s: str, *_: Any) -> Any:
        return exec("kept = 'a local secret'; int('x')", {})
