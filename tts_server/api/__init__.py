"""The HTTP API: OpenAI's speech endpoints, probes and metrics."""
