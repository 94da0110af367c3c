"""Keep tigercore's accounts in an SQLite file or in memory."""

from tigercore_sqlite.store import SqliteOptions as SqliteOptions
from tigercore_sqlite.store import SqliteStore as SqliteStore
