"""Benchmarks: how fast scans are, as ratios measured in one run on one machine."""
