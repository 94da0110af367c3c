"""Tiger Brokers' OpenAPI gateway on a local port, for demos, tests and plugin authors."""

from tigercore_simulator.broker import Pace
from tigercore_simulator.consent import Answer, Consent
from tigercore_simulator.developers import Developer
from tigercore_simulator.faults import Fault, Faults, Kind
from tigercore_simulator.grants import Terms
from tigercore_simulator.limits import UNLIMITED, Limits
from tigercore_simulator.oracle import Done, Oracle, Placed
from tigercore_simulator.refreshes import Refreshes, Refused
from tigercore_simulator.simulator import Simulator, open_simulator

__all__ = [
    "UNLIMITED",
    "Answer",
    "Consent",
    "Developer",
    "Done",
    "Fault",
    "Faults",
    "Kind",
    "Limits",
    "Oracle",
    "Pace",
    "Placed",
    "Refreshes",
    "Refused",
    "Simulator",
    "Terms",
    "open_simulator",
]
