"""Container images: build them without Docker, and import them into the nodes."""
