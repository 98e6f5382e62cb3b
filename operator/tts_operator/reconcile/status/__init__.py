"""The status of a TTSService: its conditions, its writes, and its events."""
