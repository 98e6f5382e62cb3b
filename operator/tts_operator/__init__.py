"""The tts-operator: keeps text-to-speech services highly available on Kubernetes."""

__version__ = "0.1.0"
SERVER_IMAGE = f"ghcr.io/tts-operator/tts-server:v{__version__}"
"""The model server's image for specs without one."""
