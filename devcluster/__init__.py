"""A real Kubernetes cluster on this machine, without Docker: ``python -m devcluster --help``."""
