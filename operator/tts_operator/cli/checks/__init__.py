"""Checks: of the cluster (`doctor`)."""
