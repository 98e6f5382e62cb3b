{{- define "tts-operator.selector" -}}
app.kubernetes.io/name: tts-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tts-operator.labels" -}}
{{ include "tts-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end }}
{{- /* What the operator may do to the objects in the namespaces that it serves: no more than what it does. */ -}}
{{- define "tts-operator.rules" -}}
- apiGroups: [tts-operator.io]
  resources: [ttsservices]
  verbs: [get, list, watch]
- apiGroups: [tts-operator.io]
  resources: [ttsservices/status]
  verbs: [patch]
# Clusters that enforce who may block an owner's deletion ask for this before a child may name its owner.
- apiGroups: [tts-operator.io]
  resources: [ttsservices/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [serviceaccounts, services, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies, ingresses]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- if .Values.fencing.enabled }}
# What it may change in them is held to their condition Ready by the ValidatingAdmissionPolicy in fencing.yaml.
- apiGroups: [""]
  resources: [pods/status]
  verbs: [patch]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
