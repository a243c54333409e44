{{/* Checksums that restart Airflow when its environment, files or Secrets change. */}}
{{- define "meanface.airflowChecksums" -}}
checksum/environment: {{ include "meanface.environment" . | sha256sum }}
checksum/files: {{ include "meanface.files" . | sha256sum }}
checksum/secrets: {{ include "meanface.secretsInUse" . | sha256sum }}
{{- end }}
{{- define "meanface.secretsInUse" -}}
{{ .Values.airflow.existingSecret | default (include "meanface.airflowSecretData" .) }}
{{ .Values.database.external.secret | default .Values.database.existingSecret | default (include "meanface.postgresqlSecretData" .) }}
{{ .Values.redis.external.secret | default .Values.redis.existingSecret | default (include "meanface.redisSecretData" .) }}
{{- end }}

{{/* Init containers: the file of UI users, which Airflow must be able to lock; the database and its
     tables; the stages' pool. */}}
{{- define "meanface.airflowInit" -}}
{{- $pool := .Values.stages.pool -}}
{{- $common := include "meanface.airflowContainer" (list . .Values.airflow.init.resources) -}}
{{- $mounts := include "meanface.airflowMounts" . -}}
- name: passwords
  command: [cp, /run/meanface/passwords.json, /opt/airflow/auth/passwords.json]
  {{- $common | nindent 2 }}
  volumeMounts:
    - {name: passwords, mountPath: /run/meanface, readOnly: true}
    - {name: auth, mountPath: /opt/airflow/auth}
- name: database
  command: [python3, -I, /etc/meanface/database.py, {{ include "meanface.databaseSecret" . }}]
  terminationMessagePolicy: FallbackToLogsOnError
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
- name: migrate
  command: [airflow, db, migrate]
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
- name: pool
  command: [airflow, pools, set, {{ $pool.name | quote }}, {{ $pool.slots | int | quote }}, stages of meanface, --include-deferred]
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
{{- end }}

{{/* The four components. The scheduler waits for the API server; the others start in any order.
     */}}
{{- define "meanface.airflowComponents" -}}
{{- $airflow := .Values.airflow -}}
{{- $mounts := include "meanface.airflowMounts" . -}}
- name: api-server
  command: [airflow, api-server]
  lifecycle: {preStop: {exec: {command: [python3, -IS, /etc/meanface/wait_for_scheduler.py, "45"]}}}
  ports: [{name: http, containerPort: 8080, protocol: TCP}]
  {{- include "meanface.airflowContainer" (list . $airflow.apiServer.resources) | nindent 2 }}
  {{- include "meanface.httpProbes" (list "http" "/api/v2/monitor/health" "/api/v2/version") | nindent 2 }}
  volumeMounts:
    {{- $mounts | nindent 4 }}
    - {name: auth, mountPath: /opt/airflow/auth}
    {{- if include "meanface.storageClaim" . }}
    - {name: storage, mountPath: /storage, readOnly: true}
    {{- end }}
- name: scheduler
  command: [python3, -IS, /etc/meanface/wait_for_api.py, airflow, scheduler]
  ports: [{name: health, containerPort: 8974, protocol: TCP}]
  {{- include "meanface.airflowContainer" (list . $airflow.scheduler.resources) | nindent 2 }}
  {{- include "meanface.httpProbes" (list "health" "/health" "/health") | nindent 2 }}
  volumeMounts:
    {{- $mounts | nindent 4 }}
    {{- include "meanface.tokenMount" . | nindent 4 }}
- name: dag-processor
  command: [airflow, dag-processor]
  {{- include "meanface.airflowContainer" (list . $airflow.dagProcessor.resources) | nindent 2 }}
  {{- include "meanface.heartbeatProbes" "dag_processor" | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
- name: triggerer
  command: [airflow, triggerer]
  {{- include "meanface.airflowContainer" (list . $airflow.triggerer.resources) | nindent 2 }}
  {{- include "meanface.heartbeatProbes" "triggerer" | nindent 2 }}
  volumeMounts:
    {{- $mounts | nindent 4 }}
    {{- include "meanface.tokenMount" . | nindent 4 }}
{{- end }}
