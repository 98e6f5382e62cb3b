"""The nodes: real ones in network namespaces, and fake ones by kwok."""
