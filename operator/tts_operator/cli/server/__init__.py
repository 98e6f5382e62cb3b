"""The way to the HTTP API of a service: connections through kubectl, the API key, requests, and errors."""
