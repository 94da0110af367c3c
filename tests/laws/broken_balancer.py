"""Balancers that are wrong on purpose. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import attrs
import pytest

from tigercore.model import Operation
from tigercore.ports import Candidate, DriverContext, LoadBalancer, NoOptions
from tigercore.testing.balancer import FairBalancerContract, LoadBalancerContract, make_candidates
from tigercore.testing.clock import driver_context

_EVERY_ONE = (
    "test_no_candidate_is_left_out test_any_sequence_will_do test_extreme_statistics_do_no_harm "
    "test_a_plan_may_be_dropped_after_its_first test_plans_that_are_walked_together_do_not_disturb_each_other "
    "test_plans_for_two_sets_do_not_mix test_a_changed_set_is_followed test_a_set_that_is_gone_is_forgotten "
)


def _laws(names: str) -> frozenset[str]:
    return frozenset(names.split())


class Right(LoadBalancer):
    """Keep the order, to be broken in one place."""

    def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        return iter(candidates)


class Broken(LoadBalancerContract):
    breaks: ClassVar[frozenset[str]]
    Driver: ClassVar[type[LoadBalancer]]

    @pytest.fixture
    def balancer(self) -> LoadBalancer:
        return self.Driver(NoOptions(), driver_context())


class Unfair(FairBalancerContract):
    breaks: ClassVar[frozenset[str]]
    Driver: ClassVar[type[LoadBalancer]]

    @pytest.fixture
    def balancer(self) -> LoadBalancer:
        return self.Driver(NoOptions(), driver_context())


# -- what a plan holds -------------------------------------------------------------------------------------


class TestMakesSomethingOfNothing(Broken):
    breaks = _laws("test_nothing_comes_from_nothing")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            return iter(candidates or make_candidates(1))


class TestMakesNothingOfOne(Broken):
    breaks = _laws("test_one_candidate_is_the_plan")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            return iter(candidates if len(candidates) > 1 else ())


class TestLeavesOutTheLast(Broken):
    breaks = _laws(_EVERY_ONE)

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            return (candidates[place] for place in range(max(len(candidates) - 1, min(len(candidates), 1))))


class TestTriesTheFirstAgain(Broken):
    breaks = _laws(_EVERY_ONE + "test_no_candidate_comes_twice") - {"test_no_candidate_is_left_out"}

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            yield from candidates
            if len(candidates) > 1:
                yield candidates[0]


class TestGivesCopies(Broken):
    breaks = _laws("test_no_candidate_is_invented")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            return iter(candidates) if len(candidates) < 2 else (attrs.evolve(each) for each in candidates)


# -- what a plan leaves alone ------------------------------------------------------------------------------


class TestCountsByItself(Broken):
    breaks = _laws("test_the_statistics_are_left_untouched")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            for candidate in candidates:
                candidate.usage += 1
                yield candidate


class TestSortsInPlace(Broken):
    breaks = _laws("test_the_sequence_is_left_untouched")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            if isinstance(candidates, list):
                candidates.sort(key=lambda candidate: candidate.usage)
            return iter(candidates)


# -- what a plan is made of --------------------------------------------------------------------------------


class TestTakesAllForLists(Broken):
    breaks = _laws("test_any_sequence_will_do test_the_first_costs_the_same_in_a_big_set")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            assert isinstance(candidates, list)
            return iter(candidates.copy())


class TestDividesByWhatSucceeds(Broken):
    breaks = _laws("test_extreme_statistics_do_no_harm")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            for candidate in candidates:
                assert candidate.latency / (1 - candidate.error_rate) >= 0
                yield candidate


# -- what a balancer remembers -----------------------------------------------------------------------------


class TestHoldsBackWhatIsBeingTried(Broken):
    breaks = _laws(
        "test_a_plan_may_be_dropped_after_its_first "
        "test_plans_that_are_walked_together_do_not_disturb_each_other test_the_first_costs_the_same_in_a_big_set"
    )

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.tried: set[int] = set()

        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            for candidate in [each for each in candidates if id(each) not in self.tried]:
                self.tried.add(id(candidate))
                yield candidate
                self.tried.discard(id(candidate))


class TestHasOnePlaceForAllPlans(Broken):
    breaks = _laws("test_plans_that_are_walked_together_do_not_disturb_each_other test_plans_for_two_sets_do_not_mix")

    class Driver(Right):
        place = 0

        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            self.place = 0
            while self.place < len(candidates):
                self.place += 1
                yield candidates[self.place - 1]


class TestKeepsTheFirstSet(Broken):
    breaks = _laws(
        "test_plans_for_two_sets_do_not_mix test_a_changed_set_is_followed test_a_set_that_is_gone_is_forgotten"
    )

    class Driver(Right):
        kept: Sequence[Candidate] = ()

        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            self.kept = self.kept or candidates
            return iter(self.kept)


class TestKnowsASetByItsAddress(Broken):
    breaks = _laws("test_a_set_that_is_gone_is_forgotten")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.known: dict[int, tuple[Candidate, ...]] = {}

        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            return iter(
                self.known.setdefault(id(candidates), tuple(candidates)) if len(candidates) == 10 else candidates
            )


class TestSortsAll(Broken):
    breaks = _laws("test_the_first_costs_the_same_in_a_big_set")

    class Driver(Right):
        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
            return sorted(candidates, key=lambda candidate: candidate.usage)


# -- fairness ----------------------------------------------------------------------------------------------


class TestAlwaysTheSame(Unfair):
    breaks = _laws(
        "test_the_first_is_shared_evenly test_sets_that_take_turns_are_each_shared_evenly "
        "test_methods_that_take_turns_are_each_shared_evenly"
    )

    class Driver(Right):
        pass


class TestCountsAllPlansTogether(Unfair):
    breaks = _laws(
        "test_sets_that_take_turns_are_each_shared_evenly test_methods_that_take_turns_are_each_shared_evenly"
    )

    class Driver(Right):
        place = 0

        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            self.place += 1
            return (candidates[(self.place + step) % len(candidates)] for step in range(len(candidates)))


class TestCountsAllMethodsTogether(Unfair):
    breaks = _laws("test_methods_that_take_turns_are_each_shared_evenly")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(options, context)
            self.places: dict[int, int] = {}

        def plan(self, operation: Operation, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
            place = self.places[id(candidates)] = self.places.get(id(candidates), 0) + 1
            return (candidates[(place + step) % len(candidates)] for step in range(len(candidates)))
