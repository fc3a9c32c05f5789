"""Dagster assets, one module per group. Each reads, calls one rule of the domain, writes, and reports."""
