"""kopf's watch of the TTSServices, and what is built around it."""
