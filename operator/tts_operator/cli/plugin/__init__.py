"""The plugin itself: its version, and completion for shells."""
