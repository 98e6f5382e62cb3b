"""`kubectl tts job`: long texts, over the server's HTTP API, which it reaches by `kubectl port-forward`."""
