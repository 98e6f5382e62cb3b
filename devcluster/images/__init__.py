"""Container images: built without Docker, and imported into the nodes."""
