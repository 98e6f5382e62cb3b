"""A cluster as a whole: claimed, brought up, described, removed."""
