"""The developers the gateway knows: who they are, their keys and their accounts."""

import base64
from collections.abc import Callable, Sequence
from random import Random

from attrs import field, frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tigercore_simulator.refusals import common

_PADDING = padding.PKCS1v15()
_HASH = hashes.SHA1()  # noqa: S303 - the broker's choice, not ours
_PEM = serialization.Encoding.PEM
_PLAIN = serialization.NoEncryption()
_PK1 = serialization.PrivateFormat.TraditionalOpenSSL
_PK8 = serialization.PrivateFormat.PKCS8


@frozen
class Identity:
    """Hold what a seed decides about a developer: all but the key."""

    tiger_id: str
    license: str
    prime_account: str
    paper_account: str


@frozen
class Developer:
    """Hold one developer: the licence, the private key in both forms, and the accounts.

    ``token`` is the one the portal would have handed out at start, empty without a TBHK licence.
    """

    tiger_id: str
    license: str
    prime_account: str
    paper_account: str
    private_key_pk1: str = field(repr=False)
    private_key_pk8: str = field(repr=False)
    token: str = field(default="", repr=False)

    @property
    def accounts(self) -> tuple[str, str]:
        """Return the prime account and the paper account."""
        return self.prime_account, self.paper_account

    def owns(self, account: str) -> bool:
        """Tell whether an account is one of the developer's."""
        return account in (self.prime_account, self.paper_account)


def invent(count: int, licenses: Sequence[str], random: Random) -> tuple[Identity, ...]:
    """Make up developers; the same randomness makes up the same ones, however many follow."""
    return tuple(_identity(n, licenses[n % len(licenses)], random) for n in range(count))


def make_key(bits: int) -> rsa.RSAPrivateKey:
    """Make a private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def enroll(identity: Identity, key: rsa.RSAPrivateKey, token: str) -> Developer:
    """Make a developer of an identity, a key and a token."""
    return Developer(
        identity.tiger_id,
        identity.license,
        identity.prime_account,
        identity.paper_account,
        key.private_bytes(_PEM, _PK1, _PLAIN).decode(),
        key.private_bytes(_PEM, _PK8, _PLAIN).decode(),
        token,
    )


def bare(pem: str) -> str:
    """Return what is between the markers of a PEM, as one line."""
    return "".join(line for line in pem.splitlines() if line and not line.startswith("-----"))


class Signer:
    """Sign replies with the simulator's own key."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def sign(self, timestamp: str) -> str:
        """Sign the timestamp of a request, which is all that a reply's signature covers."""
        return base64.b64encode(self._key.sign(timestamp.encode(), _PADDING, _HASH)).decode()

    @property
    def public_pem(self) -> str:
        """Return the public key in PEM form."""
        public = self._key.public_key()
        return public.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def public_base64(self) -> str:
        """Return the public key in bare base64 form."""
        return bare(self.public_pem)


class Register:
    """Find a developer and check that a request comes from them."""

    def __init__(self, developers: Sequence[Developer]) -> None:
        self._developers = {each.tiger_id: each for each in developers}
        self._verifiers = {each.tiger_id: _verifier(each.private_key_pk8) for each in developers}

    def find(self, tiger_id: str) -> Developer:
        """Return a developer, or refuse a tiger_id nobody has."""
        if not tiger_id.isdigit():
            raise common("public key error")
        developer = self._developers.get(tiger_id)
        if developer is None:
            raise common("failed to get developer information")
        return developer

    def verify(self, developer: Developer, signature: bytes, content: bytes) -> None:
        """Refuse a request whose signature is not the developer's."""
        if not self._verifiers[developer.tiger_id](signature, content):
            raise common(
                "failed to verify signature, please make sure you use the correct rsa private key, "
                "if you use python sdk, the private key is in pkcs#1 format"
            )


def _identity(number: int, license: str, random: Random) -> Identity:
    # Each takes its numbers from a range of its own, so no two can be the same.
    tiger_id = 20_150_000 + number * 100 + random.randrange(100)
    prime = 50_000_000 + number * 10_000 + random.randrange(10_000)
    paper = 20_190_000_000_000_000 + number * 10**12 + random.randrange(10**12)
    return Identity(str(tiger_id), license, str(prime), str(paper))


def _verifier(pem: str) -> Callable[[bytes, bytes], bool]:
    key = serialization.load_pem_private_key(pem.encode(), None).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("the key of a developer is an RSA key")

    def verify(signature: bytes, content: bytes) -> bool:
        try:
            key.verify(signature, content, _PADDING, _HASH)
        except InvalidSignature:
            return False
        return True

    return verify
