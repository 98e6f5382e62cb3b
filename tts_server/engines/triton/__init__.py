"""The voice of ``fastspeech2`` with its networks in a Triton Inference Server."""
