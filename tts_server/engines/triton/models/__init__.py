"""The models that Triton's Python backend runs. ``tts-server triton-repository`` copies them, so they stand alone."""
