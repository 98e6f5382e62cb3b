"""The life of a cluster: claim its index, bring it up, report its status, remove it."""
