import base64
import json
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tigercore.model import Operation, OperationClass, OperationType, Secret
from tigercore.ports import GatewayRequest
from tigercore_client_httpx.envelope import seal, sign_content
from tigercore_client_httpx.signing import RsaSigner

with warnings.catch_warnings(action="ignore"):
    sdk = pytest.importorskip("tigeropen.common.util.signature_utils")

NOON = datetime(2026, 1, 5, 20, 30, tzinfo=UTC)
DEVICE = "aa:bb:cc:dd:ee:ff"


def _operation(method: str = "positions", version: str = "2.0", *, binds_account: bool = True) -> Operation:
    kind, safety = OperationType.POSITIONS, OperationClass.ACCOUNT_READ
    return Operation(method, version, kind, safety, "medium", 60, "account:read", binds_account)


@pytest.fixture
def rsa_signer(key: RSAPrivateKey) -> RsaSigner:
    return RsaSigner(key, Secret("20150001"), None, "https://openapi.tigerfintech.com/gateway")


def _sent(signer: RsaSigner, operation: Operation, params: dict[str, Any], account: str | None = None) -> Any:
    envelope = seal(GatewayRequest(operation, params, account), signer, None, NOON, DEVICE)
    return json.loads(envelope.body)


def test_the_keys_stand_in_the_protocols_order(rsa_signer: RsaSigner) -> None:
    expected = [
        "method",
        "version",
        "biz_content",
        "timestamp",
        "tiger_id",
        "charset",
        "sign_type",
        "device_id",
        "sign",
    ]
    assert expected == list(_sent(rsa_signer, _operation(), {}))


def test_the_parameters_are_sorted_compact_json_with_raw_characters(rsa_signer: RsaSigner) -> None:
    sent = _sent(rsa_signer, _operation(), {"symbol": "苹果", "limit": 0, "market": None}, "12345678")
    assert '{"account":"12345678","lang":"en_US","limit":0,"symbol":"苹果"}' == sent["biz_content"]


def test_the_time_is_that_of_shanghai(rsa_signer: RsaSigner) -> None:
    assert "2026-01-06 04:30:00" == _sent(rsa_signer, _operation(), {})["timestamp"]


@pytest.mark.parametrize("params", [{}, {"symbols": ["AAPL", "苹果"], "price": Decimal("1.50"), "a": {"b": None}}])
def test_the_vendors_sdk_verifies_the_envelope(rsa_signer: RsaSigner, key: RSAPrivateKey, params: Any) -> None:
    sent = _sent(rsa_signer, _operation(), params)
    sign = sent.pop("sign")
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert sdk.verify_with_rsa(base64.b64encode(der).decode(), sdk.get_sign_content(sent).encode(), sign)


@given(st.dictionaries(st.sampled_from(["method", "version", "tiger_id", "sign_type"]), st.text()))
def test_what_is_signed_is_what_the_vendors_sdk_signs(fields: dict[str, str]) -> None:
    fields = {name: text.encode("utf-8", "replace").decode() for name, text in fields.items()}
    assert sdk.get_sign_content(fields).encode() == sign_content(fields)


def test_another_version_is_named_twice(rsa_signer: RsaSigner) -> None:
    sent = _sent(rsa_signer, _operation("option_chain", "3.0"), {})
    assert ("3.0", "3.0") == (sent["version"], json.loads(sent["biz_content"])["version"])


@pytest.mark.parametrize(
    "method", ["user_license", "user_token_refresh", "grab_quote_permission", "get_quote_permission"]
)
def test_some_methods_have_no_parameters_at_all(rsa_signer: RsaSigner, method: str) -> None:
    assert "biz_content" not in _sent(rsa_signer, _operation(method, binds_account=False), {})


def test_an_institution_names_its_secret_key_where_an_account_is_bound(key: RSAPrivateKey) -> None:
    signer = RsaSigner(key, Secret("20150001"), Secret("word"), "https://openapi.tigerfintech.com/gateway")
    bound = json.loads(_sent(signer, _operation(), {}, "12345678")["biz_content"])
    free = json.loads(_sent(signer, _operation(binds_account=False), {}, "12345678")["biz_content"])
    assert ("word", None, None) == (bound["secret_key"], free.get("secret_key"), free.get("account"))


@pytest.mark.parametrize(
    ("number", "text"),
    [("180.55", "180.55"), ("10", "10"), ("10.00", "10"), ("0.1", "0.1"), ("1E+3", "1000"), ("-0.00001", "-1e-05")],
)
def test_a_decimal_is_the_number_that_it_is(rsa_signer: RsaSigner, number: str, text: str) -> None:
    sent = _sent(rsa_signer, _operation(), {"price": Decimal(number)})
    assert f'{{"lang":"en_US","price":{text}}}' == sent["biz_content"]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9))
def test_no_price_changes_on_its_way(price: Decimal) -> None:
    from tigercore_client_httpx.envelope import _wire

    text = json.dumps(_wire({"price": price}))
    assert price == json.loads(text, parse_float=Decimal, parse_int=Decimal)["price"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "0.12345678901234567890", "1E+400", "1E-400"])
def test_a_decimal_that_json_cannot_hold_is_refused(rsa_signer: RsaSigner, number: str) -> None:
    with pytest.raises(ValueError, match="round it first"):
        _sent(rsa_signer, _operation(), {"price": Decimal(number)})


def test_a_float_that_is_no_number_is_refused(rsa_signer: RsaSigner) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        _sent(rsa_signer, _operation(), {"price": float("nan")})


def test_an_envelope_shows_nothing(rsa_signer: RsaSigner) -> None:
    envelope = seal(GatewayRequest(_operation(), {}), rsa_signer, None, NOON, DEVICE)
    assert "20150001" not in repr(envelope)
