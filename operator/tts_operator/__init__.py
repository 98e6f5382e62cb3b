"""The tts-operator: keeps text-to-speech services highly available on Kubernetes."""

__version__ = "0.1.0"
