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

{{/* Init containers of a pod with some components: (list $ components). The file of UI users, which
     Airflow must be able to lock; the database; its tables and the stages' pool. Pods with a
     scheduler migrate the database, one after another: Airflow takes a lock. The others wait. */}}
{{- define "meanface.airflowInit" -}}
{{- $root := index . 0 -}}
{{- $components := index . 1 -}}
{{- $pool := $root.Values.stages.pool -}}
{{- $common := include "meanface.airflowContainer" (list $root $root.Values.airflow.init false) -}}
{{- $mounts := include "meanface.airflowMounts" $root -}}
{{- if has "apiServer" $components -}}
- name: passwords
  command: [cp, /run/meanface/passwords.json, /opt/airflow/auth/passwords.json]
  {{- $common | nindent 2 }}
  volumeMounts:
    - {name: passwords, mountPath: /run/meanface, readOnly: true}
    - {name: auth, mountPath: /opt/airflow/auth}
{{ end -}}
- name: database
  command: [python3, -I, /etc/meanface/database.py, {{ include "meanface.databaseSecret" $root }}]
  terminationMessagePolicy: FallbackToLogsOnError
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
{{- if has "scheduler" $components }}
- name: migrate
  command: [airflow, db, migrate]
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
- name: pool
  command: [airflow, pools, set, {{ $pool.name | quote }}, {{ $pool.slots | int | quote }}, stages of meanface, --include-deferred]
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
{{- else }}
- name: migrated
  command: [airflow, db, check-migrations, --migration-wait-timeout, "600"]
  {{- $common | nindent 2 }}
  volumeMounts: {{- $mounts | nindent 4 }}
{{- end }}
{{- end }}

{{/* Containers of a component: (list $ component). The scheduler waits for the API server; the
     others start in any order. */}}
{{- define "meanface.airflowComponent" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values.airflow (index . 1) -}}
{{- $container := include "meanface.airflowContainer" (list $root $values (ne (index . 1) "dagProcessor")) -}}
{{- include (printf "meanface.%s" (index . 1)) $root }}
  {{- $container | nindent 2 }}
  volumeMounts:
    {{- include "meanface.airflowMounts" $root | nindent 4 }}
    {{- if eq (index . 1) "apiServer" }}
    - {name: auth, mountPath: /opt/airflow/auth}
    {{- if include "meanface.storageClaim" $root }}
    - {name: storage, mountPath: /storage, readOnly: true}
    {{- end }}
    {{- end }}
    {{- if has (index . 1) (list "scheduler" "triggerer") }}
    {{- include "meanface.tokenMount" $root | nindent 4 }}
    {{- end }}
    {{- with $values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- define "meanface.apiServer" -}}
- name: api-server
  command: [airflow, api-server]
  lifecycle: {preStop: {exec: {command: [python3, -IS, /etc/meanface/wait_for_scheduler.py, "45"]}}}
  ports: [{name: http, containerPort: 8080, protocol: TCP}]
  {{- include "meanface.httpProbes" (list "http" "/api/v2/monitor/health" "/api/v2/version") | nindent 2 }}
{{- end }}
{{- define "meanface.scheduler" -}}
- name: scheduler
  command: [python3, -IS, /etc/meanface/wait_for_api.py, {{ include "meanface.apiAddress" . | quote }}, airflow, scheduler]
  ports:
    - {name: health, containerPort: 8974, protocol: TCP}
    - {name: logs, containerPort: 8793, protocol: TCP}
  {{- include "meanface.httpProbes" (list "health" "/health" "/health") | nindent 2 }}
{{- end }}
{{- define "meanface.dagProcessor" -}}
- name: dag-processor
  command: [airflow, dag-processor]
  {{- include "meanface.heartbeatProbes" (list . "dag_processor") | nindent 2 }}
{{- end }}
{{- define "meanface.triggerer" -}}
- name: triggerer
  command: [airflow, triggerer]
  ports: [{name: trigger-logs, containerPort: 8794, protocol: TCP}]
  {{- include "meanface.heartbeatProbes" (list . "triggerer") | nindent 2 }}
{{- end }}

{{/* The pod template of some components: (list $ components label-of-the-process). */}}
{{- define "meanface.airflowPod" -}}
{{- $root := index . 0 -}}
{{- $components := index . 1 -}}
{{- $airflow := $root.Values.airflow -}}
metadata:
  labels:
    {{- include "meanface.podLabels" (list $root "airflow") | nindent 4 }}
    {{- with index . 2 }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with $airflow.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- include "meanface.airflowChecksums" $root | nindent 4 }}
    {{- with $airflow.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "meanface.airflowAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 60
  # The volumes' group is the stages': with two groups for one claim, each start would change
  # all its files.
  securityContext: {{- include "meanface.podSecurityContext" (list 50000 0 10001) | nindent 4 }}
  {{- include "meanface.imagePullSecrets" $root | nindent 2 }}
  {{- include "meanface.placement" $airflow | nindent 2 }}
  {{- if and (not $airflow.affinity) (include "meanface.oneNode" $root) }}
  affinity:
    podAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:  # the node where stages still use the claim after an upgrade
        - weight: 100
          podAffinityTerm: {{- include "meanface.sameNode" (include "meanface.stageSelector" $root) | nindent 12 }}
  {{- end }}
  {{- if and $airflow.separate $airflow.topologySpread }}
  topologySpreadConstraints:
    {{- range $airflow.topologySpread }}
    - {{- toYaml . | nindent 6 }}
      labelSelector:
        matchLabels:
          {{- include "meanface.selectorLabels" (list $root "airflow") | nindent 10 }}
          {{- index $ 2 | nindent 10 }}
    {{- end }}
  {{- end }}
  initContainers: {{- include "meanface.airflowInit" (list $root $components) | nindent 4 }}
  containers:
    {{- range $components }}
    {{- include "meanface.airflowComponent" (list $root .) | nindent 4 }}
    {{- end }}
  volumes: {{- include "meanface.airflowVolumes" (list $root $components) | nindent 4 }}
{{- end }}
