"""Doing it: segments, and the file that they become."""
