from __future__ import annotations

import base64
import contextlib
import os
import stat
from pathlib import Path

import attrs
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from hypothesis import given
from hypothesis import strategies as st
from tigeropen.common.util.signature_utils import sign_with_rsa
from tigeropen.tiger_open_config import TigerOpenClientConfig

from tigercore import _javaproperties, _rsakey
from tigercore.errors import AccountValidationError
from tigercore.model import Environment, License, Secret
from tigercore.properties import TigerProperties, read_properties, write_properties

KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
_PKCS1, _PKCS8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8
TOKEN = base64.b64encode(b"1767614400000,1770206400000" + bytes(16)).decode()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def key_text(form: serialization.PrivateFormat, encoding: serialization.Encoding = serialization.Encoding.DER) -> str:
    data = KEY.private_bytes(encoding, form, serialization.NoEncryption())
    return base64.b64encode(data).decode() if encoding is serialization.Encoding.DER else data.decode()


PKCS1, PKCS8 = key_text(_PKCS1), key_text(_PKCS8)
EVERYTHING = TigerProperties(
    tiger_id=Secret("20150001"),
    private_key=Secret(PKCS8),
    account="12345678",
    license=License.TBHK,
    env=Environment.SANDBOX,
    secret_key=Secret("trader=key #1"),
    server_url="http://127.0.0.1:8443/gateway",
    token=Secret(TOKEN),
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TIGEROPEN_"):
            monkeypatch.delenv(name)


def portal(directory: Path, **values: str) -> Path:
    file = directory / "tiger_openapi_config.properties"
    usual = {"private_key_pk8": PKCS8, "tiger_id": "20150001", "account": "12345678", "license": "TBSG", "env": "PROD"}
    file.write_text("".join(f"{key}={value}\n" for key, value in (usual | values).items() if value))
    return file


# -- syntax ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({}, "\n  \n\t# a = b\n ! c = d\n"),
        ({"a": "b"}, "a=b"),
        ({"a": "b"}, "a : b\r\n"),
        ({"a": "b"}, "  a b"),
        ({"a": "b "}, "a =  b "),
        ({"a": "=b"}, "a==b"),
        ({"a": ""}, "a\r"),
        ({"": "b"}, "= b"),
        ({"a": "bc"}, "a = b\\\n   c"),
        ({"a": "b# c"}, "a = b\\\r\n   # c"),
        ({"a": "b", "c": "d"}, "a = b\\\n\nc = d"),
        ({"ab": "c"}, "a\\\n  b = c"),
        ({"a": "b"}, "a \\\n = \\\n b"),
        ({"a": "b"}, "# no line goes on \\\na=b"),
        ({"a b:c=d": "#e"}, "a\\ b\\:c\\=d=\\#e"),
        ({"a": "\t\n\r\f\\q"}, "a=\\t\\n\\r\\f\\\\\\q"),
        ({"a": "é虎🐯"}, "a=\\u00e9虎\\ud83d\\uDC2F"),
        ({"a": "b\x0bc\u2028d"}, "a=b\x0bc\u2028d"),
    ],
)
def test_the_syntax_is_javas(values: dict[str, str], text: str) -> None:
    assert values == _javaproperties.parse(text)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("line 2: has an escape", "a=b\nc=\\u12x4"),
        ("line 1: has an escape", "a=\\u123"),
        ("line 1: has an escape", "a=\\ud83d"),
        ("line 3: has the key of an earlier line", "a=1\r\n\r\na=2"),
        ("line 2: ends in a backslash", "a=1\nb=\\"),
    ],
)
def test_what_java_would_guess_at_is_refused(fault: str, text: str) -> None:
    with pytest.raises(ValueError, match=fault):
        _javaproperties.parse(text)


@given(st.dictionaries(TEXTS, TEXTS))
def test_what_is_written_is_read_again(values: dict[str, str]) -> None:
    assert values == _javaproperties.parse(_javaproperties.write(values))


@given(TEXTS)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        _javaproperties.parse(text)


# -- reading -----------------------------------------------------------------------------------------------


def test_the_portals_file_is_read_from_its_directory(tmp_path: Path) -> None:
    portal(tmp_path)
    expected = TigerProperties(Secret("20150001"), Secret(PKCS8), "12345678", License.TBSG)
    assert expected == read_properties(tmp_path)


def test_a_file_may_have_another_name(tmp_path: Path) -> None:
    other = portal(tmp_path).rename(tmp_path / "mine.properties")
    assert "12345678" == read_properties(other).account


@pytest.mark.parametrize(
    "values",
    [
        {"private_key": PKCS8, "private_key_pk8": "x", "private_key_pk1": "x"},
        {"private_key_pk8": PKCS8, "private_key_pk1": "x"},
        {"private_key_pk8": "", "private_key_pk1": PKCS1},
    ],
)
def test_private_key_goes_before_pk8_and_pk8_before_pk1(tmp_path: Path, values: dict[str, str]) -> None:
    assert Secret(PKCS8) == read_properties(portal(tmp_path, **values)).private_key


@pytest.mark.parametrize(
    "text",
    [
        PKCS1,
        PKCS8,
        PKCS1[:64] + "\\\n    " + PKCS1[64:],
        key_text(_PKCS1, serialization.Encoding.PEM).replace("\n", "\\n\\\n"),
        key_text(_PKCS8, serialization.Encoding.PEM).replace("\n", "\\\n"),
    ],
    ids=["pkcs1", "pkcs8", "wrapped", "pem of pkcs1", "pem of pkcs8"],
)
def test_a_key_is_read_in_every_form(tmp_path: Path, text: str) -> None:
    assert Secret(PKCS8) == read_properties(portal(tmp_path, private_key=text)).private_key


def test_the_token_comes_from_the_file_beside(tmp_path: Path) -> None:
    portal(tmp_path)
    escaped = TOKEN.replace("=", "\\=")
    (tmp_path / "tiger_openapi_token.properties").write_text(f"#Mon Jan 05 12:00:00 UTC 2026\ntoken={escaped}\n")
    assert Secret(TOKEN) == read_properties(tmp_path).token


def test_a_token_in_the_file_itself_goes_first(tmp_path: Path) -> None:
    portal(tmp_path, token="first")
    (tmp_path / "tiger_openapi_token.properties").write_text("token=second\n")
    assert Secret("first") == read_properties(tmp_path).token


@pytest.mark.parametrize(("env", "text"), [("production", ""), ("production", "prod"), ("sandbox", "TEST")])
def test_env_is_in_the_brokers_words(tmp_path: Path, env: str, text: str) -> None:
    assert env == read_properties(portal(tmp_path, env=text)).env


EC_KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.DER, _PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    ("fault", "values"),
    [
        ("tiger_id is missing", {"tiger_id": ""}),
        ("account is missing", {"account": ""}),
        ("private_key is missing", {"private_key_pk8": ""}),
        ("private_key: not an RSA private key", {"private_key": "hunter2"}),
        ("private_key_pk8: not an RSA private key", {"private_key_pk8": PKCS8[:-8]}),
        ("private_key: not an RSA private key", {"private_key": base64.b64encode(EC_KEY).decode()}),
        ("private_key: not an RSA private key", {"private_key": "-----BEGIN RSA PRIVATE KEY-----\n" + PKCS1}),
        ("license is none of TBHK, TBSG", {"license": "hunter2"}),
        ("env is neither PROD nor SANDBOX", {"env": "hunter2"}),
    ],
)
def test_a_fault_names_the_file_and_the_key(tmp_path: Path, fault: str, values: dict[str, str]) -> None:
    with pytest.raises(AccountValidationError, match=rf"tiger_openapi_config\.properties: {fault}"):
        read_properties(portal(tmp_path, **values))


@given(st.binary(max_size=64) | st.integers(1, 600).map(lambda cut: base64.b64decode(PKCS1)[:-cut]))
def test_what_is_no_whole_key_is_refused(der: bytes) -> None:
    with pytest.raises(ValueError, match="not an RSA private key"):
        _rsakey.pkcs8(base64.b64encode(der).decode())


@pytest.mark.parametrize("der", [b"\x30", b"\x30\x80", b"\x30\x00", b"\x02\x01\x00", b"\x30\x02\x02\x01"])
def test_what_is_cut_short_is_refused(der: bytes) -> None:
    with pytest.raises(ValueError, match="not an RSA private key"):
        _rsakey.pkcs1(base64.b64encode(der).decode())


def test_a_key_that_is_wrapped_over_and_over_is_refused(tmp_path: Path) -> None:
    der = base64.b64decode(PKCS8)
    for _ in range(2000):
        size = len(der).to_bytes(3)
        inner = bytes.fromhex("020100300d06092a864886f70d010101050004" + "83") + size + der
        der = b"\x30\x83" + len(inner).to_bytes(3) + inner
    with pytest.raises(AccountValidationError, match="private_key: not an RSA private key"):
        write_properties(attrs.evolve(EVERYTHING, private_key=Secret(base64.b64encode(der).decode())), tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        {"private_key": "hunter2"},
        {"license": "hunter2"},
        {"env": "hunter2"},
        {"hunter2": "\\u12"},
        {"hunter2": "1\nhunter2=2"},
        {"remark": "hunter2\\ud800"},
    ],
)
def test_a_fault_shows_no_value(tmp_path: Path, values: dict[str, str]) -> None:
    with pytest.raises(AccountValidationError) as caught:
        read_properties(portal(tmp_path, **values))
    assert "hunter2" not in f"{caught.value} {caught.value.__context__!r} {caught.value.__cause__!r}"


def test_a_file_that_is_not_utf_8_is_refused_without_showing_it(tmp_path: Path) -> None:
    (tmp_path / "a.properties").write_bytes(b"tiger_id=hunter2\xff")
    with pytest.raises(AccountValidationError, match="is not UTF-8") as caught:
        read_properties(tmp_path / "a.properties")
    assert caught.value.__context__ is None


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    file = portal(tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert "12345678" == read_properties(file).account


def test_a_file_above_64_kib_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AccountValidationError, match="64 KiB or less"):
        read_properties(portal(tmp_path, remark="x" * 65536))


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.properties").symlink_to(portal(tmp_path))
    with pytest.raises(AccountValidationError, match=r"link\.properties: cannot be read"):
        read_properties(tmp_path / "link.properties")


def test_a_token_file_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    portal(tmp_path)
    (tmp_path / "tiger_openapi_token.properties").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AccountValidationError, match=r"token\.properties: cannot be read"):
        read_properties(tmp_path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AccountValidationError, match="is not a plain file"):
        read_properties(tmp_path / "pipe")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccountValidationError, match=r"tiger_openapi_config\.properties: cannot be read: No such file"):
        read_properties(tmp_path)


# -- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "properties", [EVERYTHING, TigerProperties(Secret("1"), Secret(PKCS8), "2")], ids=["everything", "the least"]
)
def test_an_account_is_read_as_it_was_written(tmp_path: Path, properties: TigerProperties) -> None:
    write_properties(properties, tmp_path)
    assert properties == read_properties(tmp_path)


_SECRETS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1).map(Secret)


@given(tiger_id=_SECRETS, secret_key=_SECRETS, token=_SECRETS)
def test_any_secret_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, tiger_id: Secret, secret_key: Secret, token: Secret
) -> None:
    directory = tmp_path_factory.mktemp("account")
    properties = attrs.evolve(EVERYTHING, tiger_id=tiger_id, secret_key=secret_key, token=token)
    write_properties(properties, directory)
    assert properties == read_properties(directory)


def test_both_forms_of_the_key_are_written_from_either(tmp_path: Path) -> None:
    file = write_properties(attrs.evolve(EVERYTHING, private_key=Secret(PKCS1)), tmp_path)
    written = _javaproperties.parse(file.read_text())
    assert (PKCS1, PKCS8) == (written["private_key_pk1"], written["private_key_pk8"])


def test_the_token_file_escapes_its_equals_signs_as_the_sdk_does(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    assert (tmp_path / "tiger_openapi_token.properties").read_text() == f"token={TOKEN.rstrip('=')}\\=\\=\n"


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    assert [0o600, 0o600] == [stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()]


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    file = write_properties(EVERYTHING, tmp_path)
    assert {file, tmp_path / "tiger_openapi_token.properties"} == set(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tiger_openapi_config.properties", "tiger_openapi_token.properties"])
def test_nothing_is_overwritten_unasked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(AccountValidationError, match=rf"{name}: there already; name another directory"):
        write_properties(attrs.evolve(EVERYTHING, token=None), tmp_path)
    assert ["precious"] == [file.read_text() for file in tmp_path.iterdir()]


def test_an_account_is_overwritten_when_asked(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    later = attrs.evolve(EVERYTHING, account="87654321", token=Secret("later"))
    write_properties(later, tmp_path, overwrite=True)
    assert later == read_properties(tmp_path)


def test_an_account_without_a_token_does_not_inherit_one(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    write_properties(attrs.evolve(EVERYTHING, token=None), tmp_path, overwrite=True)
    assert read_properties(tmp_path).token is None


def test_a_key_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(AccountValidationError, match="private_key: not an RSA private key"):
        write_properties(attrs.evolve(EVERYTHING, private_key=Secret("hunter2")), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccountValidationError, match=r"absent/a\.properties: cannot be written: No such file"):
        write_properties(EVERYTHING, tmp_path / "absent" / "a.properties")


def test_no_secret_is_shown() -> None:
    assert not [secret for secret in ("20150001", PKCS8, TOKEN, "trader") if secret in repr(EVERYTHING)]


# -- the vendor's own reader -------------------------------------------------------------------------------


def sdk_config(directory: Path) -> TigerOpenClientConfig:
    return TigerOpenClientConfig(enable_dynamic_domain=False, props_path=str(directory))


def test_the_sdk_reads_the_same_account(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    config = sdk_config(tmp_path)
    expected = ("20150001", "12345678", "TBHK", "trader=key #1", TOKEN, "http://127.0.0.1:8443/gateway")
    read = (config.tiger_id, config.account, config.license, config.secret_key, config.token, config.server_url)
    assert expected == read


def test_the_sdk_signs_with_the_key(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    signature = sign_with_rsa(sdk_config(tmp_path).private_key, "tiger", "utf-8")
    KEY.public_key().verify(base64.b64decode(signature), b"tiger", padding.PKCS1v15(), SHA1())


def test_we_read_what_the_sdk_has_stored(tmp_path: Path) -> None:
    write_properties(EVERYTHING, tmp_path)
    sdk_config(tmp_path).store_token("later==")
    assert Secret("later==") == read_properties(tmp_path).token
