from __future__ import annotations

import subprocess
import sys

import pytest

from tigercore.errors import SettingsError
from tigercore_cipher_awskms import AwsKmsOptions

_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
_ARN = f"arn:aws:kms:eu-central-1:111122223333:key/{_KEY}"


@pytest.mark.parametrize("name", [_KEY, f"mrk-{_KEY}", "alias/root", _ARN])
def test_every_name_of_a_key_is_taken(name: str) -> None:
    assert name == AwsKmsOptions(key_id=name).key_id


@pytest.mark.parametrize("name", ["", " ", "alias/a b", "alias/root\n", "x" * 2049, "alias/ключ"])
def test_what_is_no_name_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="give its ARN, its id or alias/<name>"):
        AwsKmsOptions(key_id=name)


@pytest.mark.parametrize(
    "url",
    [
        "https://kms.eu-central-1.amazonaws.com",
        "https://vpce-1.kms.eu-central-1.vpce.amazonaws.com:8443/",
        "http://127.0.0.1:5000",
        "http://localhost:1",
        "http://[::1]:1",
    ],
)
def test_https_and_this_machine_may_be_called(url: str) -> None:
    assert url == AwsKmsOptions(key_id=_KEY, endpoint_url=url).endpoint_url


@pytest.mark.parametrize(
    "url",
    [
        "http://kms.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0:1",
        "http://[::]:1",
        "HTTP://kms.example.com",
    ],
)
def test_keys_do_not_pass_in_the_clear_to_another_machine(url: str) -> None:
    with pytest.raises(SettingsError, match="http is for this machine alone"):
        AwsKmsOptions(key_id=_KEY, endpoint_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "kms.example.com",
        "ftp://kms.example.com",
        "https://",
        "https://user:word@kms.example.com",
        "https://kms.example.com?x=1",
        "https://kms.example.com#x",
        "https://kms.example.com\\@localhost",
        "http://localhost\\.example.com",
        "https://kms.example.com:port",
        "https://kms.example.com\n",
        "https://[::1",
    ],
)
def test_what_is_no_plain_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="write https://host") as caught:
        AwsKmsOptions(key_id=_KEY, endpoint_url=url)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(SettingsError, match="give seconds, more than 0"):
        AwsKmsOptions(key_id=_KEY, timeout=timeout)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        AwsKmsOptions(key_id="", endpoint_url="", timeout=0)
    assert 3 == len(caught.value.faults)


def test_boto3_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, tigercore_cipher_awskms; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
