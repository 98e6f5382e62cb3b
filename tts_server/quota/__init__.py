"""How much each API key has used, and whether it may use more."""
