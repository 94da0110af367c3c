import base64
import textwrap
import warnings

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption as Password
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tigercore.model import Secret
from tigercore_client_httpx.signing import RsaSigner, load_private_key, load_public_key, prove, verifies

with warnings.catch_warnings(action="ignore"):
    sdk = pytest.importorskip("tigeropen.common.util.signature_utils")

FORMS = [
    "pkcs1-line",
    "pkcs8-line",
    "pkcs1-wrapped",
    "pkcs8-wrapped",
    "pkcs1-pem",
    "pkcs8-pem",
]
CONTENT = "biz_content={}&charset=UTF-8&method=positions&name=苹果"


def _text(key: RSAPrivateKey, form: str) -> str:
    style, _, shape = form.partition("-")
    layout = PrivateFormat.TraditionalOpenSSL if style == "pkcs1" else PrivateFormat.PKCS8
    if shape == "pem":
        return key.private_bytes(Encoding.PEM, layout, NoEncryption()).decode()
    line = base64.b64encode(key.private_bytes(Encoding.DER, layout, NoEncryption())).decode()
    return line if shape == "line" else "\r\n".join(textwrap.wrap(line, 64)) + "\n"


def _public(key: RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _signature(text: str) -> str:
    loaded = load_private_key(text, checked=False)
    return RsaSigner(loaded, Secret("20150001"), None, "https://openapi.tigerfintech.com/gateway").sign(
        CONTENT.encode()
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("checked", [True, False])
def test_every_form_of_a_key_is_read(key: RSAPrivateKey, form: str, checked: bool) -> None:
    assert key.private_numbers() == load_private_key(_text(key, form), checked=checked).private_numbers()


@pytest.mark.parametrize("form", FORMS)
def test_the_vendors_sdk_verifies_our_signature(key: RSAPrivateKey, form: str) -> None:
    assert sdk.verify_with_rsa(_public(key), CONTENT.encode(), _signature(_text(key, form)))


@pytest.mark.parametrize("form", [form for form in FORMS if form != "pkcs8-pem"])  # the SDK cannot read that one
def test_the_vendors_sdk_signs_the_same_bytes(key: RSAPrivateKey, form: str) -> None:
    line = _text(key, form)
    if form == "pkcs1-pem":
        line = "".join(line.splitlines()[1:-1])
    assert sdk.sign_with_rsa(line, CONTENT, "UTF-8") == _signature(_text(key, form))


@pytest.mark.parametrize("text", ["", "no key", "AAAA", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match="paste private_key_pk1"):
        load_private_key(text, checked=True)


def test_a_key_that_is_cut_short_is_refused_without_showing_it(key: RSAPrivateKey) -> None:
    text = _text(key, "pkcs8-line")[:-40]
    with pytest.raises(ValueError, match="cannot be read") as caught:
        load_private_key(text, checked=True)
    assert text[:20] not in str(caught.value)


def test_a_key_of_another_kind_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    text = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="cannot be read"):
        load_private_key(text, checked=True)


def test_a_key_under_a_password_is_refused(key: RSAPrivateKey) -> None:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, Password(b"word")).decode()
    with pytest.raises(ValueError, match="without a password"):
        load_private_key(text, checked=True)


def test_a_key_whose_numbers_do_not_fit_is_refused(key: RSAPrivateKey) -> None:
    numbers = key.private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d ^ 2, numbers.dmp1, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(ValueError, match="cannot be read"):
        load_private_key(_text(wrong, "pkcs1-line"), checked=True)


def test_a_good_key_proves_itself(key: RSAPrivateKey) -> None:
    prove(key)


def test_a_gateways_signature_is_told_from_another(key: RSAPrivateKey) -> None:
    public, signature = load_public_key(_public(key)), _signature(_text(key, "pkcs1-line"))
    checks = [(CONTENT, signature), (CONTENT + "!", signature), (CONTENT, "AAAA"), (CONTENT, "not base64")]
    assert [True, False, False, False] == [verifies(public, content.encode(), given) for content, given in checks]


def test_a_public_key_is_read_from_pem_too(key: RSAPrivateKey) -> None:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert key.public_key() == load_public_key(pem)


def test_what_is_no_public_key_is_refused() -> None:
    with pytest.raises(ValueError, match="gateway_public_key"):
        load_public_key("no key")
