"""A real local Kubernetes without Docker: ``python -m devcluster --help``."""
