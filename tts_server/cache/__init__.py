"""Caches of synthesised audio: in memory, and shared through Redis."""
