"""The kernel beside its rivals on the same data and core: `python -m benchmarks.kernel` prints one table."""
