"""Keep tigercore's accounts in an SQLite file or in memory."""
