{{- /* The name of the operator's objects. */ -}}
{{- define "tts-operator.fullname" -}}
{{ .Values.fullnameOverride | default .Release.Name }}
{{- end }}
{{- define "tts-operator.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "tts-operator.fullname" .) }}
{{- end }}
{{- define "tts-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "tts-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
{{- define "tts-operator.selector" -}}
app.kubernetes.io/name: tts-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tts-operator.labels" -}}
{{ include "tts-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- /* The repository of an image ({root, image}): global.imageRegistry replaces the registry's host, if there is one. */ -}}
{{- define "tts-operator.repository" -}}
{{- $parts := splitList "/" .image.repository -}}
{{- $host := first $parts -}}
{{- with .root.Values.global.imageRegistry -}}
  {{- if and (gt (len $parts) 1) (or (contains "." $host) (contains ":" $host) (eq $host "localhost")) -}}
    {{- $parts = rest $parts -}}
  {{- end -}}
  {{- $parts = prepend $parts (trimSuffix "/" .) -}}
{{- end -}}
{{ join "/" $parts }}
{{- end }}
{{- /* The reference of an image ({root, image}): by digest if there is one, which no registry can change. */ -}}
{{- define "tts-operator.image" -}}
{{ include "tts-operator.repository" . }}
{{- with .image.digest }}@{{ . }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}
{{- /* The annotation that leads to the runbook of an alert ({alert, address}), like that of the alerts of TTSServices. */ -}}
{{- define "tts-operator.runbook" -}}
{{- if .address -}}
runbook_url: {{ .address | replace "{alert}" .alert }}
{{- else -}}
runbook: docs/runbooks/{{ .alert }}.md in the repository of tts-operator
{{- end -}}
{{- end }}
{{- /* The served namespaces, as JSON; empty: all. */ -}}
{{- define "tts-operator.namespaces" -}}
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
