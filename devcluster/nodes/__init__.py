"""Nodes: real ones in network namespaces, and fake ones simulated by kwok."""
