module devcluster/crds

go 1.26.0

require (
	github.com/argoproj/argo-cd/v3 v3.4.13
	github.com/cert-manager/cert-manager v1.18.2
	github.com/fluxcd/kustomize-controller v1.9.6
	github.com/fluxcd/source-controller v1.9.6
	github.com/kedacore/keda/v2 v2.21.0
	github.com/prometheus-operator/prometheus-operator v0.84.0
	sigs.k8s.io/gateway-api v1.3.0
)
