"""When no token is refreshed that can wait: ten minutes around the hours at which markets open and close.

The hours are in UTC. Those that move with summer time stand here twice: that costs two hours a day, of weeks, and needs
no database of time zones.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tigercore.model import License

_AROUND = timedelta(minutes=10)
_NEW_YORK = ((13, 30), (14, 30), (20, 0), (21, 0))
_HONG_KONG = ((1, 30), (8, 0))
_SINGAPORE = ((1, 0), (9, 0))
_SYDNEY = ((23, 0), (0, 0), (5, 0), (6, 0))
_AUCKLAND = ((21, 0), (22, 0), (3, 45), (4, 45))
_HOURS = {
    License.TBHK: _HONG_KONG + _NEW_YORK,
    License.TBSG: _SINGAPORE + _HONG_KONG + _NEW_YORK,
    License.TBAU: _SYDNEY + _NEW_YORK,
    License.TBNZ: _AUCKLAND + _NEW_YORK,
    License.TBUS: _NEW_YORK,
    None: _HONG_KONG + _NEW_YORK,
}


def after_quiet(license: License | None, moment: datetime) -> datetime:
    """Return the moment, or the end of the quiet time that it falls into."""
    while (end := _quiet_end(license, moment)) is not None:
        moment = end
    return moment


def _quiet_end(license: License | None, moment: datetime) -> datetime | None:
    for hour, minute in _HOURS[license]:
        there = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
        for center in (there - timedelta(days=1), there, there + timedelta(days=1)):
            if center - _AROUND <= moment < center + _AROUND:
                return center + _AROUND
    return None
