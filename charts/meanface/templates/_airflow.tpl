{{/* Settings of all containers of Airflow: (list $ values-of-the-container reads-or-writes-logs). */}}
{{- define "meanface.airflowContainer" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
{{- $secret := include "meanface.airflowSecret" $root -}}
image: {{ include "meanface.image" (list $root $root.Values.airflow.image) }}
imagePullPolicy: {{ $root.Values.airflow.image.pullPolicy }}
securityContext: {{- include "meanface.securityContext" . | nindent 2 }}
resources: {{- toYaml $values.resources | nindent 2 }}
envFrom:
  - configMapRef: {name: {{ include "meanface.fullname" $root }}}
  {{- if and (index . 2) $root.Values.airflow.logs.secret }}
  - secretRef: {name: {{ $root.Values.airflow.logs.secret }}}
  {{- end }}
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
  {{- with $values.extraEnv }}
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

{{/* Volumes of a pod with some components of Airflow: (list $ components). */}}
{{- define "meanface.airflowVolumes" -}}
{{- $root := index . 0 -}}
{{- $components := index . 1 -}}
{{- if or $root.Values.airflow.separate (not $root.Values.airflow.persistence.enabled) }}
- {name: state, emptyDir: {}}
{{- end }}
- {name: logs, emptyDir: {}}
- {name: tmp, emptyDir: {}}
{{- if has "apiServer" $components }}
- {name: auth, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
- name: passwords
  secret: {secretName: {{ include "meanface.airflowSecret" $root }}, items: [{key: passwords.json, path: passwords.json}]}
{{- end }}
- {name: files, configMap: {name: {{ include "meanface.fullname" $root }}-files}}
{{- with $root.Values.redis.external.caSecret }}
- {name: redis-ca, secret: {secretName: {{ . }}}}
{{- end }}
{{- if has "apiServer" $components }}
{{- with include "meanface.storageClaim" $root }}
- {name: storage, persistentVolumeClaim: {claimName: {{ . }}}}  # not readOnly: stages on this node write to it
{{- end }}
{{- end }}
{{- if or (has "scheduler" $components) (has "triggerer" $components) }}
{{ include "meanface.tokenVolume" $root }}
{{- end }}
{{- range $components }}
{{- with (index $root.Values.airflow .).extraVolumes }}
{{ toYaml . }}
{{- end }}
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

{{/* Host and port of the API server for the other components. */}}
{{- define "meanface.apiAddress" -}}
{{- $service := printf "%s-airflow.%s.svc:%v" (include "meanface.fullname" .) .Release.Namespace .Values.airflow.service.port -}}
{{- ternary $service "localhost:8080" .Values.airflow.separate -}}
{{- end }}

{{/* Probes of a component that reports its health only to the database: (list $ component). With
     several replicas each asks the database for its own heartbeat. */}}
{{- define "meanface.heartbeatProbes" -}}
{{- $root := index . 0 -}}
{{- $command := list "python3" "-IS" "/etc/meanface/heartbeat.py" (include "meanface.apiAddress" $root) (index . 1) -}}
{{- if $root.Values.airflow.separate -}}
{{- $command = list "python3" "-I" "/etc/meanface/own_heartbeat.py" (index . 1) -}}
{{- end -}}
startupProbe:
  exec: {command: {{ toJson $command }}}
  periodSeconds: 5
  timeoutSeconds: 10
  failureThreshold: 72
readinessProbe:
  exec: {command: {{ toJson $command }}}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
livenessProbe:
  exec: {command: {{ toJson (append $command "--lenient") }}}
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
