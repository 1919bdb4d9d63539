"""What it costs, and what it reaches: `python -m benchmarks.NAME`. See docs/benchmarks.md."""
