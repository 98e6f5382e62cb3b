"""From a text to a stream of audio: admission, scheduling, encoding."""
