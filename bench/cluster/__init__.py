"""What the benchmarks of the operator run in: a cluster, a namespace, the operator as a process, the audit log."""
