"""Benchmarks. CONTRIBUTING.md describes how to run them."""
