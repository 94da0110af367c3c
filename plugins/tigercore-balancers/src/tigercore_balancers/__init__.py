"""The balancing strategies that tigercore ships."""

from tigercore_balancers._random import Random as Random
from tigercore_balancers.fastest_response import FastestResponse as FastestResponse
from tigercore_balancers.fastest_response import FastestResponseOptions as FastestResponseOptions
from tigercore_balancers.least_used import LeastUsed as LeastUsed
from tigercore_balancers.round_robin import RoundRobin as RoundRobin
