"""Real servers for tests and benchmarks, on loopback or a socket, from wheels: nothing is installed on the machine."""


class MissingServer(RuntimeError):
    """A server cannot be found or started; the first line says what to do."""
