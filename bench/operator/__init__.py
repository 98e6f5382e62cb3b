"""The operator at scale: ``python -m bench.operator``."""
