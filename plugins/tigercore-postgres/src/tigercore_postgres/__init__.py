"""Keep tigercore's accounts in PostgreSQL."""

from tigercore_postgres.options import PostgresOptions as PostgresOptions
from tigercore_postgres.store import PostgresStore as PostgresStore
