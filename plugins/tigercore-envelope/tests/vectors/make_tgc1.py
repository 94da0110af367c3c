"""Make `tgc1.json`: 40 messages that open, and others that must not. `python make_tgc1.py` writes it anew.

The format stands here a second time, after its page and over the standard library's HMAC, so that the vectors follow no
mistake of `tigercore_envelope`. Every key and every random byte is SHA-256 of a label: none of them is a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE = Path(__file__).with_name("tgc1.json")


def labelled(label: str) -> bytes:
    return hashlib.sha256(f"tigercore golden {label}".encode()).digest()


def lp(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def okm(key: bytes, start: bytes, salt: bytes, nonce: bytes, context: bytes) -> bytes:
    """HKDF-SHA256 of 64 bytes, as RFC 5869 has it."""
    info = lp(b"tigercore/TGC1", start[4:10], nonce, context)
    prk = hmac.digest(salt, key, "sha256")
    first = hmac.digest(prk, info + b"\1", "sha256")
    return first + hmac.digest(prk, first + info + b"\2", "sha256")


def pad(plaintext: bytes) -> bytes:
    size = len(plaintext).to_bytes(4, "big")
    return size + plaintext + bytes(-len(size + plaintext) % 256)


# -- places: the lists of parts that the core binds a secret to -----------------------------------------------

RING, ROW = labelled("ring")[:16], labelled("row")[:16]
URL = "https://openapi.example/gateway"


def place(table: str, field: str, generation: int, *columns: str, ring: bytes = RING, row: bytes = ROW) -> list[bytes]:
    bound = [column.encode() for column in columns]
    return [b"tigercore.ctx.1", ring, table.encode(), row, field.encode(), generation.to_bytes(8, "big"), *bound]


def account(
    generation: int = 1,
    *,
    number: str = "U0000001",
    kind: str = "STANDARD",
    environment: str = "production",
    developer: str = labelled("developer").hex(),
    licence: str = "",
    url: str = "",
) -> list[bytes]:
    """Bind every column that counts; a licence and a URL stand behind `=`, so that none is told from an empty one."""
    return place("tc_account", "credentials", generation, number, kind, environment, developer, licence, url)


def token(generation: int = 1) -> list[bytes]:
    return place("tc_token", "token", generation)


# -- messages ----------------------------------------------------------------------------------------------

_CREDENTIALS = b'{"tiger_id": "none", "private_key": "none"}'


def message(
    name: str, plaintext: bytes, parts: list[bytes], kek: str = "one", version: int = 1, **lies: bytes
) -> bytes:
    """Seal a message; `lies` replace a part before what follows is made of it."""
    start = lies.get("start", b"TGC1\0\1" + version.to_bytes(4, "big"))
    salt, nonce, context = labelled(f"salt {name}"), labelled(f"nonce {name}")[:12], lp(*parts)
    material = okm(labelled(f"kek {kek}"), start, salt, nonce, context)
    header = start + salt + nonce + lies.get("commitment", material[32:])
    aad = lies.get("aad", header + context)
    return header + AESGCM(material[:32]).encrypt(nonce, lies.get("padded", pad(plaintext)), aad)


def case(name: str, parts: list[bytes], kek: str, version: int, **rest: str) -> dict[str, Any]:
    """What a reader has at hand: a key as this version, and the place where it found the message."""
    return {"name": name, "kek": kek, "version": version, "context": [part.hex() for part in parts], **rest}


def opens(name: str, plaintext: bytes, parts: list[bytes], kek: str = "one", version: int = 1) -> dict[str, Any]:
    sealed = message(name, plaintext, parts, kek, version)
    return case(name, parts, kek, version, plaintext=plaintext.hex(), sealed=sealed.hex())


def refused(
    name: str, error: str, sealed: bytes, parts: list[bytes] | None = None, kek: str = "one", version: int = 1
) -> dict[str, Any]:
    return case(name, account() if parts is None else parts, kek, version, error=error, sealed=sealed.hex())


def golden() -> Iterator[dict[str, Any]]:
    for size in (0, 1, *range(251, 258), 508, 509, 1700, 4092, 4096):  # 252, 508 and 4092 just fill their last block
        yield opens(f"{size} bytes", b"x" * size, token())

    for name, parts in {
        "with licence and server": account(licence="=TBHK", url=f"={URL}"),
        "with a licence alone": account(licence="=TBSG"),
        "with a server alone": account(url=f"={URL}"),
        "with neither": account(),
        "with a licence that is empty": account(licence="="),
        "on paper in the sandbox": account(number="12345678901234567", kind="PAPER", environment="sandbox"),
        "without a developer": account(developer=""),
        "of a unicode number": account(number="账户-零一"),
        "of a composed number": account(number="\u00e9"),
        "of a decomposed number": account(number="e\u0301"),
        "of the last generation": account(2**64 - 1),
    }.items():
        yield opens(f"credentials {name}", _CREDENTIALS, parts)

    for generation in (0, 2, 2**32):
        yield opens(f"token of generation {generation}", b"no token", token(generation))

    for version in (0, 1, 2, 2**32 - 1):
        yield opens(f"version {version}", b"by version", account(), f"of version {version}", version)

    for name, parts in {
        "no part": [],
        "one empty part": [b""],
        "two empty parts": [b"", b""],
        "a part that looks like two": [lp(b"a", b"b")],
        "a part of 300 bytes": [bytes(range(256)) + bytes(44)],
    }.items():
        yield opens(f"context of {name}", b"in its context", parts)

    for name, plaintext in {
        "zeros": bytes(300),
        "unicode": "秘密 \U0001f42f e\u0301".encode(),
        "another message": message("within", b"within", []),
    }.items():
        yield opens(f"plaintext of {name}", plaintext, token())


def not_messages(good: bytes) -> Iterator[dict[str, Any]]:
    for name, sealed in {
        "nothing": b"",
        "a header alone": good[:86],
        "a header and a tag": message("no block", b"", account(), padded=b""),
        "cut by a byte": good[:-1],
        "without its first byte": good[1:],
        "extended by a byte": good + b"\0",
        "followed by itself": good * 2,
        "magic TGC2": b"TGC2" + good[4:],
        "magic in small letters": b"tgc1" + good[4:],
        "suite 0": message("suite 0", b"", account(), start=b"TGC1\0\0\0\0\0\1"),
        "suite 2": message("suite 2", b"", account(), start=b"TGC1\0\2\0\0\0\1"),
        "suite 1 of the wrong byte order": message("suite 256", b"", account(), start=b"TGC1\1\0\0\0\0\1"),
        "padding that ends in one": message("padding", b"", account(), padded=bytes(255) + b"\1"),
        "padding that begins with one": message("begins", b"", account(), padded=bytes(4) + b"\1" + bytes(251)),
        "padding of a block too much": message("block", b"", account(), padded=bytes(512)),
        "a length one beyond the end": message("beyond", b"", account(), padded=b"\0\0\0\xfd" + bytes(252)),
        "the greatest length": message("greatest", b"", account(), padded=b"\xff" * 4 + bytes(252)),
        "a length of the wrong byte order": message("order", b"", account(), padded=b"\1\0\0\0x" + bytes(251)),
    }.items():
        yield refused(name, "Malformed", sealed)


def misplaced(good: bytes) -> Iterator[dict[str, Any]]:
    moved = [*account()[:6], b"U000000", b"1STANDARD", *account()[8:]]
    for name, parts in {
        "another ring": [account()[0], labelled("ring 2")[:16], *account()[2:]],
        "another table": [*account()[:2], b"tc_token", *account()[3:]],
        "another row": [*account()[:3], labelled("row 2")[:16], *account()[4:]],
        "another field": [*account()[:4], b"token", *account()[5:]],
        "the generation before": account(0),
        "another number": account(number="U0000002"),
        "another server": account(url=f"={URL}"),
        "a licence that is empty, not absent": account(licence="="),
        "a letter in the column beside": moved,
        "a column less": account()[:-1],
        "a column more": [*account(), b""],
        "the same bytes in one part": [b"".join(account())],
    }.items():
        yield refused(f"read as {name}", "WrongKeyOrContext", good, parts)


def changed(good: bytes) -> Iterator[dict[str, Any]]:
    header, context, other = good[:86], lp(*account()), message("other", _CREDENTIALS, account())
    for name, sealed in {
        "the salt of another": good[:10] + other[10:42] + good[42:],
        "the nonce of another": good[:42] + other[42:54] + good[54:],
        "the commitment of another": good[:54] + other[54:86] + good[86:],
        "a commitment of zeros": message("zeros", b"", account(), commitment=bytes(32)),
        "another version": good[:6] + b"\0\0\0\2" + good[10:],
    }.items():
        yield refused(name, "WrongKeyOrContext", sealed, version=int.from_bytes(sealed[6:10], "big"))
    for name, sealed in {
        "the body and tag of another": header + other[86:],
        "the tag of another": good[:-16] + other[-16:],
        "extended by a block": good + bytes(256),
        "a body whose header is in no AAD": message("no header", b"", account(), aad=context),
        "a body whose context is in no AAD": message("no context", b"", account(), aad=b""),
    }.items():
        yield refused(name, "Tampered", sealed)


def refusals() -> Iterator[dict[str, Any]]:
    good = message("good", _CREDENTIALS, account())
    yield from not_messages(good)
    yield refused("of another version than the reader's", "KeyUnavailable", good, version=2)
    yield refused("of another key of the same version", "WrongKeyOrContext", good, kek="two")
    yield from misplaced(good)
    yield from changed(good)


def text() -> str:
    """One message a line, so that a change shows as one."""
    lists = {"opens": golden(), "refused": refusals()}
    lines = {name: ",\n".join(json.dumps(each) for each in cases) for name, cases in lists.items()}
    return "{" + ",\n".join(f'"{name}": [\n{text}\n]' for name, text in lines.items()) + "}\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
