"""What runs beside the control plane: CoreDNS, metrics-server, the ingress controller, CRDs of other projects."""
