{{/* Settings of all containers of Airflow: (list $ resources). */}}
{{- define "meanface.airflowContainer" -}}
{{- $root := index . 0 -}}
{{- $secret := include "meanface.airflowSecret" $root -}}
image: {{ include "meanface.image" (list $root $root.Values.airflow.image) }}
imagePullPolicy: {{ $root.Values.airflow.image.pullPolicy }}
securityContext: {{- include "meanface.securityContext" . | nindent 2 }}
resources: {{- toYaml (index . 1) | nindent 2 }}
envFrom:
  - configMapRef: {name: {{ include "meanface.fullname" $root }}}
env:
  - name: AIRFLOW__CORE__FERNET_KEY
    valueFrom: {secretKeyRef: {name: {{ $secret }}, key: fernet-key}}
  - name: AIRFLOW__API__SECRET_KEY
    valueFrom: {secretKeyRef: {name: {{ $secret }}, key: api-secret-key}}
  - name: AIRFLOW__API_AUTH__JWT_SECRET
    valueFrom: {secretKeyRef: {name: {{ $secret }}, key: jwt-secret}}
  - name: AIRFLOW_CONN_MEANFACE_REDIS
    valueFrom: {secretKeyRef: {name: {{ include "meanface.redisSecret" $root }}, key: url}}
  - name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
    valueFrom: {secretKeyRef: {name: {{ include "meanface.databaseSecret" $root }}, key: connection}}
  {{- with $root.Values.database.external.secret }}
  - name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC
    valueFrom: {secretKeyRef: {name: {{ . }}, key: connection-async, optional: true}}
  {{- end }}
  {{- with $root.Values.airflow.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Volume mounts of every container of Airflow. */}}
{{- define "meanface.airflowMounts" -}}
- {name: state, mountPath: /opt/airflow/state}
- {name: logs, mountPath: /opt/airflow/logs}
- {name: tmp, mountPath: /tmp}
- {name: files, mountPath: /etc/meanface, readOnly: true}
{{- if .Values.redis.external.caSecret }}
- {name: redis-ca, mountPath: /etc/meanface-redis, readOnly: true}
{{- end }}
{{- end }}

{{/* The service account's token, for components that run pods; the others have none. */}}
{{- define "meanface.tokenMount" -}}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
{{- define "meanface.tokenVolume" -}}
- name: token
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{/* Probes of a component that reports its health only to the database. */}}
{{- define "meanface.heartbeatProbes" -}}
startupProbe:
  exec: {command: [python3, -IS, /etc/meanface/heartbeat.py, {{ . }}]}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 72
readinessProbe:
  exec: {command: [python3, -IS, /etc/meanface/heartbeat.py, {{ . }}]}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
livenessProbe:
  exec: {command: [python3, -IS, /etc/meanface/heartbeat.py, {{ . }}, --lenient]}
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 5
{{- end }}

{{/* Probes of a component with an HTTP server: (list port path path-of-liveness). */}}
{{- define "meanface.httpProbes" -}}
startupProbe:
  httpGet: {port: {{ index . 0 }}, path: {{ index . 1 }}}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 72
readinessProbe:
  httpGet: {port: {{ index . 0 }}, path: {{ index . 1 }}}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
livenessProbe:
  httpGet: {port: {{ index . 0 }}, path: {{ index . 2 }}}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}
