"""TTSServices: list them, show one, and follow it."""
