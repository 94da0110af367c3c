"""Clients that are wrong about the gateway's clock. Each breaks the laws that it names, and keeps all others."""

from typing import Any

from tests.laws._client_base import Client, Suite
from tigercore.model import Token
from tigercore.ports import GatewayRequest, Signer
from tigercore.testing.client import Answer


class Certain(Client):
    @property
    def skew(self) -> float | None:
        return self.inner.skew or 0.0


class TestCertain(Suite):
    driver, breaks = Certain, frozenset({"test_before_the_first_reply_nothing_is_known_of_the_gateways_clock"})


class Behind(Client):
    @property
    def skew(self) -> float | None:
        return self.inner.skew and -self.inner.skew


class TestBehind(Suite):
    driver = Behind
    breaks = frozenset(
        {
            "test_a_stamp_tells_by_how_much_the_gateways_clock_is_ahead",
            "test_a_refusal_tells_the_gateways_time_too",
            "test_the_median_of_the_last_five_stamps_counts",
            "test_what_is_no_moment_of_our_time_tells_nothing",
        }
    )


class LearnsFromAnswers(Client):
    told: float | None = None

    @property
    def skew(self) -> float | None:
        return self.told

    def answered(self, data: Any) -> Any:
        self.told = self.inner.skew
        return data


class TestLearnsFromAnswers(Suite):
    driver, breaks = LearnsFromAnswers, frozenset({"test_a_refusal_tells_the_gateways_time_too"})


class Watcher(Client):
    """Sees the stamp of each reply."""

    def saw(self, stamp: Any) -> None:
        raise NotImplementedError

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        move = self.inner.gateway.upcoming()
        if isinstance(move, Answer) and move.stamp is not None:
            self.saw(move.stamp)
        return await self.inner.call(request, signer, token)


class LastStamp(Watcher):
    told: float | None = None

    @property
    def skew(self) -> float | None:
        return self.told

    def saw(self, stamp: Any) -> None:
        if type(stamp) is int and 10**12 <= stamp < 10**13:
            self.told = stamp / 1000 - self.context.clock.now().timestamp()


class TestLastStamp(Suite):
    driver, breaks = LastStamp, frozenset({"test_the_median_of_the_last_five_stamps_counts"})


class Gullible(Watcher):
    fooled = False

    @property
    def skew(self) -> float | None:
        return -1e9 if self.fooled else self.inner.skew

    def saw(self, stamp: Any) -> None:
        self.fooled = self.fooled or stamp == 0


class TestGullible(Suite):
    driver, breaks = Gullible, frozenset({"test_what_is_no_moment_of_our_time_tells_nothing"})
