import pytest

from tigercore_simulator.limits import UNLIMITED, Limits, Windows
from tigercore_simulator.refusals import Refusal


@pytest.fixture
def windows():
    return Windows(Limits())


def fill(windows, method, times, now=0.0):
    for _ in range(times):
        windows.admit("1", method, now)


@pytest.mark.parametrize(("method", "limit"), [("orders", 120), ("kline", 60), ("market_state", 10), ("new", 60)])
def test_a_method_is_admitted_up_to_its_limit(windows, method, limit):
    fill(windows, method, limit)
    with pytest.raises(Refusal, match=f"up to {limit} times per minute"):
        windows.admit("1", method, 0.0)


def test_a_request_over_the_limit_is_code_5_at_status_429(windows):
    fill(windows, "market_state", 10)
    with pytest.raises(Refusal) as caught:
        windows.admit("1", "market_state", 59.9)
    assert (caught.value.code, caught.value.status) == (5, 429)


def test_the_window_rolls_after_exactly_sixty_seconds(windows):
    fill(windows, "market_state", 10)
    windows.admit("1", "market_state", 60.0)


def test_the_window_frees_no_more_than_what_left_it(windows):
    fill(windows, "market_state", 5, now=0.0)
    fill(windows, "market_state", 5, now=30.0)
    fill(windows, "market_state", 5, now=60.0)
    with pytest.raises(Refusal):
        windows.admit("1", "market_state", 60.0)


def test_developers_do_not_share_a_window(windows):
    fill(windows, "market_state", 10)
    windows.admit("2", "market_state", 0.0)


def test_methods_do_not_share_a_window(windows):
    fill(windows, "market_state", 10)
    windows.admit("1", "user_license", 0.0)


def test_placing_and_modifying_share_five_a_second(windows):
    for method in ("place_order", "modify_order", "place_order", "modify_order", "place_order"):
        windows.admit_order("123456", method, 0.0)
    with pytest.raises(Refusal, match="requestRateExceedLimit") as caught:
        windows.admit_order("123456", "modify_order", 0.9)
    assert caught.value.code == 1200


def test_cancelling_is_not_throttled(windows):
    for _ in range(6):
        windows.admit_order("123456", "cancel_order", 0.0)


def test_accounts_do_not_share_a_throttle(windows):
    for _ in range(5):
        windows.admit_order("123456", "place_order", 0.0)
    windows.admit_order("654321", "place_order", 0.0)


def test_without_limits_a_thousand_refreshes_a_minute_are_admitted():
    windows = Windows(UNLIMITED)
    fill(windows, "user_token_refresh", 1000)
