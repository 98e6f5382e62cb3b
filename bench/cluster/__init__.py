"""The environment of the operator's benchmarks: a cluster, a namespace, the operator process, the audit log."""
