{{/* Not empty if the chart installs Airflow's database. */}}
{{- define "meanface.ownDatabase" -}}
{{- if and .Values.airflow.enabled (not .Values.database.external.secret) -}}
own
{{- end -}}
{{- end }}

{{/* Access: Airflow with its password, and everyone inside the container, which is for probes and
     backups. */}}
{{- define "meanface.postgresqlFiles" -}}
start.sh: | {{- .Files.Get "files/postgresql.sh" | nindent 2 }}
pg_hba.conf: |
  local all all trust
  host airflow airflow all scram-sha-256
{{- end }}

{{/* Options of the server; `database.config` overrides the chart's. */}}
{{- define "meanface.postgresqlOptions" -}}
{{- $own := dict "hba_file" "/etc/meanface/pg_hba.conf" "listen_addresses" "*" "unix_socket_directories" "/tmp" -}}
{{- range $name, $value := merge (dict) .Values.database.config $own }}
- -c
- {{ printf "%s=%s" $name (include "meanface.option" $value) | quote }}
{{- end }}
{{- end }}

{{- define "meanface.postgresqlProbes" -}}
{{- $ready := `exec: {command: [pg_isready, --quiet]}` -}}
startupProbe:
  {{ $ready }}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 300
readinessProbe:
  {{ $ready }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  {{ $ready }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}
