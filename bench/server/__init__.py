"""The model server under load: ``python -m bench.server``."""
