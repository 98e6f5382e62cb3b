"""Who may call the speech endpoints: API keys and the operator's tokens."""
