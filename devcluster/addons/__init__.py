"""Add-ons of the cluster: CoreDNS, metrics-server, the ingress controller, CRDs of other projects."""
