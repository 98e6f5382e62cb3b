"""What surrounds a request, whatever its endpoint: its key and usage, body, log line, CORS headers, response cache."""
