from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tigercore.model import Secret
from tigercore.ports import Cipher
from tigercore.testing.cipher import CipherContract
from tigercore_cipher_local import LocalCipher, LocalOptions, keyfile
from tigercore_cipher_local.passphraseroot import PassphraseRoot
from tigercore_cipher_local.stretch import Stretch
from tigercore_envelope import EnvelopeCipher, Root


def _master_key() -> Secret:
    return Secret(base64.b64encode(os.urandom(32)).decode())


class TestACipherOnAKeyFileKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return LocalCipher

    @pytest.fixture
    def options(self, tmp_path: Path) -> Any:
        return LocalOptions(key_file=str(tmp_path / "one.key"))

    @pytest.fixture
    def other_options(self, tmp_path: Path) -> Any:
        return LocalOptions(key_file=str(tmp_path / "two.key"))

    @pytest.fixture
    def unusable_options(self, tmp_path: Path) -> Any:
        return LocalOptions(key_file=str(tmp_path / "missing" / "root.key"))


class TestACipherOnACredentialKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return LocalCipher

    @pytest.fixture(autouse=True)
    def directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        for name in ("one", "two"):
            keyfile.create(str(tmp_path / name))

    @pytest.fixture
    def options(self) -> Any:
        return LocalOptions(credential="one")

    @pytest.fixture
    def other_options(self) -> Any:
        return LocalOptions(credential="two")

    @pytest.fixture
    def unusable_options(self) -> Any:
        return LocalOptions(credential="three")


class CheapCipher(EnvelopeCipher):
    """The local cipher on a passphrase, but for the cost: that of the default would be paid for each law."""

    Options: ClassVar[type] = LocalOptions

    @classmethod
    def create_root(cls, options: LocalOptions) -> str:
        return LocalCipher.create_root(options)

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: LocalOptions) -> AsyncIterator[Root]:
        yield PassphraseRoot(options.passphrase, Stretch(os.urandom(16), 19 * 1024, 2, 1))


class TestACipherOnAPassphraseKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return CheapCipher

    @pytest.fixture
    def options(self) -> Any:
        return LocalOptions(passphrase=Secret("an entirely good passphrase"))

    @pytest.fixture
    def other_options(self) -> Any:
        return LocalOptions(passphrase=Secret("another good passphrase"))

    @pytest.fixture
    def unusable_options(self) -> Any:
        return LocalOptions(passphrase=Secret("too short"))


class TestACipherOnAMasterKeyKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return LocalCipher

    @pytest.fixture
    def options(self) -> Any:
        return LocalOptions(master_key=_master_key())

    @pytest.fixture
    def other_options(self) -> Any:
        return LocalOptions(master_key=_master_key())

    @pytest.fixture
    def unusable_options(self) -> Any:
        return LocalOptions(master_key=Secret("not a key"))
