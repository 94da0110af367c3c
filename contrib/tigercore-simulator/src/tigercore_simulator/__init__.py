"""Tiger Brokers' OpenAPI gateway on a local port, for demos, tests and plugin authors."""
