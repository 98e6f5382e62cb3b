{{- define "tts-operator.selector" -}}
app.kubernetes.io/name: tts-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tts-operator.labels" -}}
{{ include "tts-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end }}
{{- /* The namespaces that are served, as JSON; empty: all. */ -}}
{{- define "tts-operator.namespaces" -}}
{{- if and .Values.watchNamespace .Values.watchNamespaces -}}
  {{- fail "watchNamespace and watchNamespaces are both set: put all namespaces into watchNamespaces" -}}
{{- end -}}
{{- toJson (.Values.watchNamespace | empty | ternary .Values.watchNamespaces (list .Values.watchNamespace)) -}}
{{- end }}
{{- /* The kinds of the features that are turned off, with commas between them. */ -}}
{{- define "tts-operator.without" -}}
{{- $kinds := dict
  "ingress" "Ingress"
  "gateway" "HTTPRoute"
  "certManager" "Certificate"
  "monitoring" "PodMonitor,PrometheusRule"
  "autoscaling" "HorizontalPodAutoscaler"
  "networkPolicy" "NetworkPolicy"
  "persistentVolumeClaims" "PersistentVolumeClaim"
  "disruptionBudgets" "PodDisruptionBudget"
-}}
{{- $off := list -}}
{{- range $feature, $kind := $kinds -}}
  {{- if not (get $.Values.features $feature) }}{{ $off = append $off $kind }}{{ end -}}
{{- end -}}
{{- join "," $off -}}
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
  resources: [serviceaccounts, services]
  verbs: [get, list, watch, create, patch, update, delete]
{{- if .Values.features.persistentVolumeClaims }}
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, update, delete]
{{- if .Values.features.disruptionBudgets }}
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
{{- if .Values.features.autoscaling }}
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
{{- if .Values.features.networkPolicy }}
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
{{- if .Values.features.ingress }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
{{- if .Values.features.gateway }}
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
{{- if .Values.features.certManager }}
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
{{- if .Values.features.monitoring }}
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, update, delete]
{{- end }}
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
