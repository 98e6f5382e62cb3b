"""The process and its surroundings: CPU limit, lifecycle."""
