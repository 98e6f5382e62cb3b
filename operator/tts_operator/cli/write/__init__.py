"""New TTSServices."""
