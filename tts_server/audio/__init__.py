"""Audio formats and signal processing. No I/O."""
