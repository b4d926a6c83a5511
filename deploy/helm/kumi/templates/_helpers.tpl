{{- define "kumi.labels" -}}
app.kubernetes.io/name: kumi
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "kumi.selector" -}}
app.kubernetes.io/name: kumi
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
