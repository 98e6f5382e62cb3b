"""Where a rollout is to be, and which workloads follow from it. Pure."""
