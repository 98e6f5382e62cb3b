"""The HTTP API: endpoints, what surrounds each request, and the schema of requests and responses."""
