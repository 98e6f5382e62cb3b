"""Rollouts: promote, abort, undo, pause, and compare revisions."""
