"""The pod template of the model server."""
