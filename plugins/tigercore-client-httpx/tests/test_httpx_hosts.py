from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore.model import Environment, License
from tigercore.ports import Endpoint
from tigercore_client_httpx._httpx import httpx
from tigercore_client_httpx.hosts import gateway_url

PRODUCTION, SANDBOX = Environment.PRODUCTION, Environment.SANDBOX


@pytest.mark.parametrize(
    ("environment", "license_", "url"),
    [
        (PRODUCTION, None, "https://openapi.tigerfintech.com/gateway"),
        (PRODUCTION, License.TBHK, "https://openapi.tigerfintech.com/gateway"),
        (PRODUCTION, License.TBUS, "https://openapi.tradeup.com/gateway"),
        (SANDBOX, None, "https://openapi-sandbox.tigerfintech.com/gateway"),
        (SANDBOX, License.TBUS, "https://openapi-sandbox.tigerfintech.com/gateway"),
    ],
)
def test_without_a_url_the_licence_decides(environment: Environment, license_: License | None, url: str) -> None:
    assert url == gateway_url(Endpoint(environment, license_))


@pytest.mark.parametrize(
    "url",
    [
        "https://openapi.tigerfintech.com/hkg/gateway",
        "https://openapi.tigerfintech.com:443/gateway",
        "https://OPENAPI.ITIGERUP.COM/gateway",
        "https://openapi.tradeup.com/gateway",
    ],
)
@pytest.mark.parametrize("environment", [PRODUCTION, SANDBOX])
def test_a_host_of_the_brokers_may_be_called(environment: Environment, url: str) -> None:
    assert url == gateway_url(Endpoint(environment, server_url=url))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/gateway", "http://localhost:1/gateway", "http://[::1]:1/", "https://localhost/gateway"],
)
def test_a_sandbox_may_call_this_machine(url: str) -> None:
    assert url == gateway_url(Endpoint(SANDBOX, server_url=url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "openapi.tigerfintech.com/gateway",
        "http://openapi.tigerfintech.com/gateway",
        "http://127.0.0.1/gateway",
        "https://127.0.0.1/gateway",
        "https://localhost/gateway",
        "https://10.0.0.1/gateway",
        "https://tigerfintech.com.example.com/gateway",
        "https://eviltigerfintech.com/gateway",
        "https://tigerfintech.com/gateway",
        "https://openapi.tigerfintech.com./gateway",
        "https://openapi.tigerfintech.com:8443/gateway",
        "https://openapi.tigerfintech.com:port/gateway",
        "https://openapi.tigerfintech.com@example.com/gateway",
        "https://example.com/@openapi.tigerfintech.com",
        "https://example.com\\.tigerfintech.com/gateway",
        "https://example.com#.tigerfintech.com/gateway",
        "https://example.com?.tigerfintech.com/gateway",
        "https://openapi.tigerfintech.com/gateway?to=example.com",
        "https://user:word@openapi.tigerfintech.com/gateway",
        "https://openapi.tigerfintech.com/gate way",
        "https://openapi.tigerfintech.com/gateway\r\nHost: example.com",
        "https://openapi.tigerfintech。com/gateway",
        "https://[::1/gateway",
        "https://evil.com[v1.tigerfintech.com]/gateway",
        "https://[v1.tigerfintech.com]/gateway",
        "https://[fe80::1%25.tigerfintech.com]/gateway",
        "https://[::1].tigerfintech.com/gateway",
        "https://evil.com%2f.tigerfintech.com/gateway",
        "https://evil.com%00.tigerfintech.com/gateway",
        "https://evil.com;.tigerfintech.com/gateway",
        "https://evil.com,.tigerfintech.com/gateway",
        "https://evil.com<.tigerfintech.com/gateway",
        "https://evil|com.tigerfintech.com/gateway",
        "https://.tigerfintech.com/gateway",
        "https://a..tigerfintech.com/gateway",
        "https://a_b.tigerfintech.com/gateway",
        "https://openapi.tigerfintech.com:/gateway",
        "https://openapi.tigerfintech.com:0443/gateway",
        "https://openapi.tigerfintech.com:443:443/gateway",
        "https://openapi.tigerfintech.com/gateway?",
        "https://openapi.tigerfintech.com/gateway#",
        f"https://{'a' * 64}.tigerfintech.com/gateway",
        f"https://openapi.tigerfintech.com/{'a' * 480}",
        f"https://openapi.tigerfintech.com/{'a' * 70_000}",
        "ftp://openapi.tigerfintech.com/gateway",
        "file:///etc/passwd",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="server_url"):
        gateway_url(Endpoint(PRODUCTION, server_url=url))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.example.com/",
        "http://example.com/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::1].example.com/",
        "http://[::1]example.com/",
        "http://example.com[::1]/",
        "http://[::1]@example.com/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:80:90/",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_sandbox_may_call_no_other_machine(url: str) -> None:
    with pytest.raises(ValueError, match="server_url"):
        gateway_url(Endpoint(SANDBOX, server_url=url))


@pytest.mark.parametrize("url", ["https://gateway.example.com/gateway", "https://gateway.example.com:8443/gateway"])
def test_the_settings_may_add_hosts(url: str) -> None:
    allowed = ("Gateway.example.com", "gateway.example.com:8443")
    assert url == gateway_url(Endpoint(PRODUCTION, server_url=url), allowed)


def test_an_added_host_still_needs_https() -> None:
    with pytest.raises(ValueError, match="not https"):
        gateway_url(Endpoint(PRODUCTION, server_url="http://gateway.example.com/"), ("gateway.example.com",))


@given(st.text(st.characters(codec="ascii"), max_size=30), st.sampled_from(["https://{}/", "http://[::1{}", "{}"]))
def test_no_text_whatever_is_more_than_refused(text: str, form: str) -> None:
    for environment in Environment:
        with suppress(ValueError):
            url = gateway_url(Endpoint(environment, server_url=form.format(text)), ("example.com",))
            assert httpx.URL(url).host in ("example.com", "127.0.0.1", "::1", "localhost")


def test_the_refusal_shows_no_password_of_a_url() -> None:
    with pytest.raises(ValueError, match="holds a user") as caught:
        gateway_url(Endpoint(PRODUCTION, server_url="https://user:word@openapi.tigerfintech.com/gateway"))
    assert "word" not in str(caught.value)
