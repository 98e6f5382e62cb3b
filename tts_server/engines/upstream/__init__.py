"""Speech from another server with OpenAI's ``/v1/audio/speech``."""
