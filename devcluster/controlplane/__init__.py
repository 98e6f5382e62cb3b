"""The control plane: its certificates, its components, and a client of its API server."""
