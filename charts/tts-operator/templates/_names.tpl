{{- define "tts-operator.selector" -}}
app.kubernetes.io/name: tts-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tts-operator.labels" -}}
{{ include "tts-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end }}
{{- /* The served namespaces, as JSON; empty: all. */ -}}
{{- define "tts-operator.namespaces" -}}
{{- if and .Values.watchNamespace .Values.watchNamespaces -}}
  {{- fail "watchNamespace and watchNamespaces are both set: put all namespaces into watchNamespaces" -}}
{{- end -}}
{{- toJson (.Values.watchNamespace | empty | ternary .Values.watchNamespaces (list .Values.watchNamespace)) -}}
{{- end }}
{{- /* The kinds of disabled features, separated by commas. */ -}}
{{- define "tts-operator.without" -}}
{{- $kinds := dict
  "ingress" "Ingress"
  "gateway" "HTTPRoute"
  "certManager" "Certificate"
  "monitoring" "PodMonitor,PrometheusRule"
  "autoscaling" "HorizontalPodAutoscaler"
  "keda" "ScaledObject"
  "networkPolicy" "NetworkPolicy"
  "persistentVolumeClaims" "PersistentVolumeClaim"
  "disruptionBudgets" "PodDisruptionBudget"
  "dashboards" "ConfigMap"
-}}
{{- $off := list -}}
{{- range $feature, $kind := $kinds -}}
  {{- if not (get $.Values.features $feature) }}{{ $off = append $off $kind }}{{ end -}}
{{- end -}}
{{- join "," $off -}}
{{- end }}
{{- /* The operator's permissions in the namespaces that it serves: the minimum that it needs. */ -}}
{{- define "tts-operator.rules" -}}
- apiGroups: [tts-operator.io]
  resources: [ttsservices]
  verbs: [get, list, watch]
- apiGroups: [tts-operator.io]
  resources: [ttsservices/status]
  verbs: [patch]
# Required for owner references in clusters that enable OwnerReferencesPermissionEnforcement.
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
{{- if .Values.features.dashboards }}
- apiGroups: [""]
  resources: [configmaps]
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
{{- if .Values.features.keda }}
- apiGroups: [keda.sh]
  resources: [scaledobjects]
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
# The ValidatingAdmissionPolicy in fencing.yaml limits this to the condition Ready.
- apiGroups: [""]
  resources: [pods/status]
  verbs: [patch]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
