"""Keep many Tiger Brokers accounts for a program."""
