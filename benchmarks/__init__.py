"""What tigercore costs, as ratios within one run: `python -m benchmarks`."""
