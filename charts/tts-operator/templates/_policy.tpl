{{- /* The policy's lists as CEL (admission.yaml). JSON strings, lists, and maps are valid CEL. */ -}}

{{- /* The patterns of a list, as JSON, with the default server's repository filled in. */ -}}
{{- define "tts-operator.policy.patterns" -}}
{{- $all := list -}}
{{- $server := include "tts-operator.repository" (dict "root" .root "image" .root.Values.serverImage) -}}
{{- range .patterns -}}
  {{- $all = append $all (replace "{serverImage}" $server .) -}}
{{- end -}}
{{- toJson $all -}}
{{- end }}

{{- /* A regular expression (RE2) that matches the whole value. CEL fills in {namespace}. */ -}}
{{- define "tts-operator.policy.expression" -}}
{{- $all := list -}}
{{- range include "tts-operator.policy.patterns" . | fromJsonArray -}}
  {{- $quoted := regexQuoteMeta . | replace "\\{namespace\\}" "{namespace}" -}}
  {{- if and (eq $.field "issuers") (eq (len (splitList "/" .)) 2) -}}
    {{- $all = append $all (printf "cert-manager\\.io/%s" $quoted | replace "\\*" ".*") -}}
  {{- else if not (has $.field (list "prometheus" "backends")) -}}
    {{- $all = append $all (replace "\\*" ".*" $quoted) -}}
  {{- else if eq . "*" -}}
    {{- $all = append $all ".*" -}}
  {{- else if contains "://" . -}}
    {{- /* In a URL, only a * at the very end may match from the host into the path. */ -}}
    {{- $end := hasSuffix "\\*" $quoted | ternary ".*" "" -}}
    {{- $parts := splitList "/" (trimSuffix "\\*" $quoted) -}}
    {{- $host := slice $parts 0 3 | join "/" | replace "\\*" "[^/]*" -}}
    {{- $path := prepend (slice $parts 3) "" | join "/" | replace "\\*" ".*" -}}
    {{- $all = append $all (printf "(?i:%s)%s%s" $host $path $end) -}}
  {{- end -}}
{{- end -}}
{{- /* Matches nothing. */ -}}
^(?s:{{ join "|" $all | default "[^\\x00-\\x{10FFFF}]" }})$
{{- end }}

{{- /* CEL: a regular expression for URLs with a loopback, link-local, or numeric host. */ -}}
{{- define "tts-operator.policy.local" -}}
'(?i)^[a-z]+://(([^/:]*\\.)?localhost|0x[0-9a-f]+|[0-9]+|0\\.[0-9.]+|127\\.[0-9.]+|' +
'169\\.254\\.[0-9.]+|\\[(::1?|fe[89ab][0-9a-f]:[^/]*|::ffff:[^/]*)\\])\\.?(:|/|$)'
{{- end }}

{{- /* The patterns in words. */ -}}
{{- define "tts-operator.policy.words" -}}
{{- $all := include "tts-operator.policy.patterns" . | fromJsonArray -}}
{{- if $all -}}
allowed: {{ join ", " (slice $all 0 (min 8 (len $all))) }}
{{- if gt (len $all) 8 }} and {{ sub (len $all) 8 }} more{{ end -}}
{{- else -}}
nothing is allowed there
{{- end -}}
{{- end }}

{{- /* CEL: the result of the template `of` for a field, in the request's namespace. */ -}}
{{- define "tts-operator.policy.choice" -}}
{{- $policy := .root.Values.policy -}}
{{- $general := include .of (dict "root" .root "field" .field "patterns" (get $policy .field)) -}}
{{- $special := dict -}}
{{- range $namespace, $override := $policy.namespaces -}}
  {{- if hasKey $override $.field -}}
    {{- $asked := dict "root" $.root "field" $.field "patterns" (get $override $.field) -}}
    {{- $_ := set $special $namespace (include $.of $asked) -}}
  {{- end -}}
{{- end -}}
{{- if $special -}}
{{ toJson $special }}[?request.namespace].orValue({{ toJson $general }})
{{- else -}}
{{ toJson $general }}
{{- end -}}
{{- if contains "{namespace}" (printf "%s%s" $general (toJson $special)) -}}
.replace('{namespace}', request.namespace)
{{- end -}}
{{- end }}

{{- /* "true" if a field forbids anything in any namespace. */ -}}
{{- define "tts-operator.policy.limits" -}}
{{- $open := has "*" (get .root.Values.policy .field) -}}
{{- range $namespace, $override := .root.Values.policy.namespaces -}}
  {{- if hasKey $override $.field -}}
    {{- $open = and $open (has "*" (get $override $.field)) -}}
  {{- end -}}
{{- end -}}
{{- if not $open }}true{{ end -}}
{{- end }}

{{- /* CEL: whether podTemplate is restricted in the request's namespace; empty if it is restricted nowhere. */ -}}
{{- define "tts-operator.policy.restricted" -}}
{{- $general := eq .Values.policy.podTemplate "Restricted" -}}
{{- $others := list -}}
{{- range $namespace, $override := .Values.policy.namespaces -}}
  {{- if and (hasKey $override "podTemplate") (ne (eq $override.podTemplate "Restricted") $general) -}}
    {{- $others = append $others $namespace -}}
  {{- end -}}
{{- end -}}
{{- if and $general $others -}}
!(request.namespace in {{ toJson $others }})
{{- else if $general -}}
true
{{- else if $others -}}
request.namespace in {{ toJson $others }}
{{- end -}}
{{- end }}

{{- /* CEL: who can allow it, for a field of the policy. */ -}}
{{- define "tts-operator.policy.who" -}}
'. A cluster administrator can allow it: Helm value policy.{{ . }}, or for this namespace alone ' +
'policy.namespaces.' + request.namespace + '.{{ . }}'
{{- end }}

{{- /* A validation. The variable with the field's name contains what is not allowed. */ -}}
{{- define "tts-operator.policy.validation" -}}
- expression: size(variables.{{ .field }}) == 0
  reason: Forbidden
  {{- $can := printf "not allowed; a cluster administrator can allow it: Helm value policy.%s" .field }}
  message: {{ printf "%s: %s" .what $can | quote }}
  messageExpression: >-
    {{ printf "%s: " .what | squote }} + variables.{{ .field }}.join(', ') + ' is not allowed; ' +
    {{ include "tts-operator.policy.choice" (dict "root" .root "field" .field "of" "tts-operator.policy.words") }} +
    {{ include "tts-operator.policy.who" .field | nindent 4 | trim }}
{{- end }}
