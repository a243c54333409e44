{{/* Airflow as Deployments (`airflow.separate`): names, labels, and what the values must have. */}}

{{/* A component's name in Kubernetes: `api-server` for `apiServer`. */}}
{{- define "meanface.processName" -}}
{{ kebabcase . }}
{{- end }}

{{/* The label that tells Airflow's pods apart; all have the component `airflow`. */}}
{{- define "meanface.processLabel" -}}
meanface/process: {{ include "meanface.processName" . }}
{{- end }}

{{/* Not empty if Airflow is Deployments; fails on values that cannot work. */}}
{{- define "meanface.separate" -}}
{{- $airflow := .Values.airflow -}}
{{- if and $airflow.enabled $airflow.separate -}}
{{- if include "meanface.oneNode" . -}}
{{- fail "airflow.separate: the API servers of several nodes read the runs' files, so set storage.url, or a claim with storage.claim.accessModes: [ReadWriteMany]" -}}
{{- end -}}
separate
{{- else if $airflow.enabled -}}
{{- range $name := list "apiServer" "scheduler" "dagProcessor" "triggerer" -}}
{{- if gt (int (index $airflow $name).replicas) 1 -}}
{{- fail (printf "airflow.%s.replicas is %d: set airflow.separate to true, because one pod has one of each component" $name (int (index $airflow $name).replicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
