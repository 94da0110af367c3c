"""Real servers on loopback for tests and benchmarks, from wheels: nothing is installed on the machine."""
