"""Decide where a rollout goes, and derive the workloads from that. Pure."""
