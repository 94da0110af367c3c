"""The gateway's time, as far as its replies tell it: what a token's birth and end are measured by."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import final

from tigercore.clock import Clock
from tigercore.ports import TigerClient

_log = logging.getLogger("tigercore.tokens")
_WORTH_A_WARNING, _TOO_MUCH = 60.0, 300.0  # seconds (reliability 3.3)


@final
class GatewayClock:
    """Correct this process's clock by what the gateway's replies are stamped with."""

    def __init__(self, clock: Clock, client: TigerClient) -> None:
        self._clock = clock
        self._client = client
        self._told: float | None = None

    def now(self) -> datetime:
        """Return the gateway's time; this process's own until the gateway has answered anything."""
        skew = self._client.skew
        return self._clock.now() if not skew else self._clock.now() + timedelta(seconds=skew)

    @property
    def may_judge(self) -> bool:
        """Say whether the end of a token may be judged here: only by a gateway's time that is known, and near ours."""
        skew = self._client.skew
        return skew is not None and abs(skew) <= _TOO_MUCH

    def warn(self) -> None:
        """Tell the log if the clocks differ, once until that has changed by a minute."""
        skew = self._client.skew or 0.0
        if abs(skew) <= _WORTH_A_WARNING:
            self._told = None
        elif self._told is None or abs(skew - self._told) > _WORTH_A_WARNING:
            self._told = skew
            way = "behind" if skew > 0 else "ahead of"
            _log.warning("this machine's clock is %.0f s %s the gateway's: set it (NTP)", abs(skew), way)
