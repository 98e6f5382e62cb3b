"""The status of a TTSService: its conditions, how it is written, and the events that tell of it."""
