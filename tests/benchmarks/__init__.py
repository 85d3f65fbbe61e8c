"""Speed beside other implementations: ``python -m tests.benchmarks`` from the root of the repository."""
