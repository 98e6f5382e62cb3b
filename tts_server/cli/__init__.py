"""The commands of ``tts-server`` that need no running server."""
