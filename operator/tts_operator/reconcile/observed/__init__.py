"""The observed state of one TTSService, and functions that read live objects."""
