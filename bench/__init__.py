"""Benchmarks; each is a module to run, see CONTRIBUTING.md."""
