"""Ciphers that encrypt nothing. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from abc import abstractmethod
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode

from tests.laws._cipher_base import Broken, Right, laws

_SEEN = laws("test_sealed_bytes_are_as_noise test_sealed_bytes_do_not_hold_the_message")


class Signs(Right):
    """Write a message in another way beside the MAC of it, as a signed token does."""

    @abstractmethod
    def write(self, message: bytes) -> bytes:
        """Return the message as it is stored."""

    @abstractmethod
    def read(self, written: bytes) -> bytes:
        """Return the message that was written."""

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        written = self.write(plaintext)
        return super().encrypt(b"", context=context + written) + written

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        seal, written = sealed[:56], sealed[56:]
        super().decrypt(seal, context=context + written)
        return self.read(written)


class TestWritesMessagesAsTheyAre(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return message

        def read(self, written: bytes) -> bytes:
            return written


class TestWritesMessagesBackwards(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return message[::-1]

        def read(self, written: bytes) -> bytes:
            return written[::-1]


class TestWritesMessagesInHex(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return message.hex().encode()

        def read(self, written: bytes) -> bytes:
            return bytes.fromhex(written.decode())


class TestWritesMessagesInCapitalHex(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return message.hex().upper().encode()

        def read(self, written: bytes) -> bytes:
            return bytes.fromhex(written.decode())


class TestWritesMessagesInWideLetters(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return message.decode("latin-1").encode("utf-16-be")

        def read(self, written: bytes) -> bytes:
            return written.decode("utf-16-be").encode("latin-1")


class TestWritesMessagesInBase64(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return urlsafe_b64encode(message)

        def read(self, written: bytes) -> bytes:
            return urlsafe_b64decode(written)


class TestWritesMessagesInBase64BehindOneByte(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return b64encode(b"." + message)

        def read(self, written: bytes) -> bytes:
            return b64decode(written)[1:]


class TestWritesMessagesInBase64BehindTwoBytes(Broken):
    breaks = _SEEN

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return b64encode(b".." + message)

        def read(self, written: bytes) -> bytes:
            return b64decode(written)[2:]


class TestTurnsEveryBit(Broken):
    breaks = laws("test_sealed_bytes_are_as_noise")

    class Driver(Signs):
        def write(self, message: bytes) -> bytes:
            return bytes(255 - each for each in message)

        def read(self, written: bytes) -> bytes:
            return self.write(written)
