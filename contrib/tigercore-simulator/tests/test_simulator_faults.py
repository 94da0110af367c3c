from random import Random

import pytest

from tigercore_simulator import Fault, Faults, Kind
from tigercore_simulator.faults import fault_from_json


@pytest.fixture
def faults():
    return Faults(Random(7))


def take(faults, tiger_id="1", account="123456", method="orders"):
    return faults.take(tiger_id, account, method)


def test_a_fault_without_selectors_meets_every_request(faults):
    faults.add(Fault(Kind.HANG))
    assert Kind.HANG is take(faults).kind


@pytest.mark.parametrize("selector", [{"tiger_id": "2"}, {"account": "654321"}, {"method": "kline"}])
def test_a_fault_does_not_meet_a_request_it_does_not_select(faults, selector):
    faults.add(Fault(Kind.HANG, **selector))
    assert take(faults) is None


def test_a_fault_is_spent_after_its_count(faults):
    faults.add(Fault(Kind.HANG, count=2))
    assert [take(faults) is not None for _ in range(3)] == [True, True, False]


def test_a_fault_without_a_count_lasts(faults):
    faults.add(Fault(Kind.HANG, count=None))
    assert all(take(faults) for _ in range(100))


def test_a_fault_with_a_probability_meets_some_requests(faults):
    faults.add(Fault(Kind.HANG, count=None, probability=0.5))
    assert 30 < sum(take(faults) is not None for _ in range(100)) < 70


@pytest.mark.parametrize("kind", list(Kind))
def test_every_fault_may_meet_some_requests_of_one_method(faults, kind):
    faults.add(Fault(kind, method="user_token_refresh", count=None, probability=0.5))
    met = [take(faults, method=method) is not None for method in ("user_token_refresh", "orders") * 50]
    assert (True, False) == (10 < sum(met[::2]) < 40, any(met[1::2]))


def test_the_first_fault_that_matches_is_met(faults):
    faults.add(Fault(Kind.CODE_4, method="orders"))
    faults.add(Fault(Kind.CODE_5))
    assert [take(faults).kind, take(faults).kind] == [Kind.CODE_4, Kind.CODE_5]


def test_clearing_switches_all_faults_off(faults):
    faults.add(Fault(Kind.HANG))
    faults.clear()
    assert faults.active == ()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "a fault is a JSON object"),
        ({"kind": "unknown"}, "'unknown' is not a valid Kind"),
        ({}, "kind"),
        ({"kind": "hang", "colour": 1}, "a fault has no field colour"),
        ({"kind": "hang", "count": 0}, "'count' is a whole number"),
        ({"kind": "hang", "probability": 2}, "probability"),
        ({"kind": "hang", "after": True}, "'after' does not go with hang"),
        ({"kind": "code_5", "after": 1}, "'after' is true or false"),
    ],
)
def test_a_malformed_fault_is_refused_with_a_sentence(value, says):
    with pytest.raises(ValueError, match=says):
        fault_from_json(value)
