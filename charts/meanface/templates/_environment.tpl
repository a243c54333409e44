{{/* The image of runs that the chart of 0.2.0 began, which this upgrade finds in progress: the plugin of that
     version did not keep it with the run. Later upgrades keep what the first one found. */}}
{{- define "meanface.formerImage" -}}
{{- $found := (lookup "v1" "ConfigMap" .Release.Namespace (include "meanface.fullname" .)).data | default dict -}}
{{- dig "MEANFACE_FORMER_IMAGE" (dig "MEANFACE_IMAGE" "" $found) $found -}}
{{- end }}

{{/* The plugin's settings for the stages' pods. */}}
{{- define "meanface.stagesEnvironment" -}}
MEANFACE_RUNTIME: kubernetes
MEANFACE_IMAGE: {{ include "meanface.image" (list . .Values.stages.image) | quote }}
MEANFACE_FORMER_IMAGE: {{ include "meanface.formerImage" . | quote }}
MEANFACE_IMAGE_PULL_POLICY: {{ .Values.stages.image.pullPolicy }}
MEANFACE_IMAGE_PULL_SECRETS: {{ join "," .Values.imagePullSecrets | quote }}
MEANFACE_NAMESPACE: {{ .Release.Namespace }}
MEANFACE_SERVICE_ACCOUNT: {{ include "meanface.stagesAccount" . }}
MEANFACE_INSTANCE: {{ .Release.Name }}
MEANFACE_POOL: {{ .Values.stages.pool.name | quote }}
MEANFACE_REDIS_SECRET: {{ include "meanface.redisSecret" . }}
MEANFACE_REDIS_CA_SECRET: {{ .Values.redis.external.caSecret | quote }}
MEANFACE_STORAGE: {{ default "/storage" .Values.storage.url | quote }}
{{- with include "meanface.storageClaim" . }}
MEANFACE_STORAGE_CLAIM: {{ . }}
{{- end }}
MEANFACE_STORAGE_SECRET: {{ .Values.storage.secret | quote }}
MEANFACE_STORAGE_CONNECTION: {{ .Values.storage.connection | quote }}
MEANFACE_PRIORITY_CLASS: {{ .Values.stages.priorityClassName | quote }}
MEANFACE_PRIVATE_ADDRESSES: {{ .Values.stages.privateAddresses | quote }}
MEANFACE_WORKERS: {{ .Values.stages.workers | int | quote }}
MEANFACE_POLL_INTERVAL: {{ .Values.stages.pollInterval | int | quote }}
MEANFACE_RESOURCES: {{ toJson .Values.stages.resources | quote }}
MEANFACE_NODE_SELECTOR: {{ toJson .Values.stages.nodeSelector | quote }}
MEANFACE_TOLERATIONS: {{ toJson .Values.stages.tolerations | quote }}
MEANFACE_AFFINITY: {{ include "meanface.stagesAffinity" . | quote }}
MEANFACE_ENV: {{ toJson .Values.stages.env | quote }}
MEANFACE_DAG_PARAMS: {{ toJson .Values.airflow.dagParams | quote }}
{{- if .Values.stages.podTemplate }}
MEANFACE_POD_TEMPLATE: /etc/meanface/pod-template.yaml
{{- end }}
{{- end }}

{{/* Airflow's settings, without secrets. */}}
{{- define "meanface.airflowEnvironment" -}}
{{- $ingress := .Values.airflow.ingress -}}
{{- $route := .Values.airflow.httpRoute -}}
{{- $local := ternary (printf "%s://%s" $route.scheme (first $route.hostnames | default "")) "http://localhost:8080" (and $route.enabled (not (empty $route.hostnames))) -}}
{{- $host := ternary (printf "%s://%s" (ternary "https" "http" (ne $ingress.tlsSecret "")) $ingress.host) $local $ingress.enabled -}}
AIRFLOW__CORE__AUTH_MANAGER: airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: admin:admin
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE: /opt/airflow/auth/passwords.json
AIRFLOW__CORE__EXECUTOR: LocalExecutor
AIRFLOW__CORE__PARALLELISM: {{ .Values.airflow.parallelism | int | quote }}
AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: {{ ternary "True" "False" .Values.airflow.dagsPaused | quote }}
AIRFLOW__CORE__LOAD_EXAMPLES: "False"
AIRFLOW__CORE__EXECUTION_API_SERVER_URL: http://{{ include "meanface.apiAddress" . }}/execution/
{{- if .Values.airflow.separate }}
AIRFLOW__CORE__HOSTNAME_CALLABLE: airflow.utils.net.get_host_ip_address
{{- end }}
AIRFLOW__API__BASE_URL: {{ default $host .Values.airflow.baseUrl | quote }}
AIRFLOW__API__HOST: 0.0.0.0
AIRFLOW__API__PORT: "8080"
AIRFLOW__API__WORKERS: "1"
AIRFLOW__LOGGING__BASE_LOG_FOLDER: /opt/airflow/state/logs
{{- with .Values.airflow.logs.url }}
AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS: bucket_logs.LOGGING_CONFIG
AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER: {{ . | quote }}
AIRFLOW__LOGGING__DELETE_LOCAL_LOGS: "True"
{{- end }}
AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK: "True"
AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE: {{ ternary "True" "False" .Values.airflow.dailyRuns | quote }}
AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: "False"
AIRFLOW__WORKERS__EXECUTION_API_RETRIES: "10"
{{- end }}

{{/* The complete environment. `airflow.config` comes last and overrides the chart's options. */}}
{{- define "meanface.environment" -}}
{{- $all := include "meanface.stagesEnvironment" . | fromYaml -}}
{{- if .Values.airflow.enabled -}}
{{- $all = merge (include "meanface.airflowEnvironment" . | fromYaml) $all -}}
{{- range $section, $options := .Values.airflow.config -}}
{{- range $option, $value := $options -}}
{{- $_ := set $all (printf "AIRFLOW__%s__%s" ($section | replace "." "_" | upper) (upper $option)) (include "meanface.option" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{/* Files in /etc/meanface. */}}
{{- define "meanface.files" -}}
{{- if .Values.airflow.enabled }}
wait_for_api.py: | {{- .Files.Get "files/wait_for_api.py" | nindent 2 }}
wait_for_scheduler.py: | {{- .Files.Get "files/wait_for_scheduler.py" | nindent 2 }}
database.py: | {{- .Files.Get "files/database.py" | nindent 2 }}
{{- if .Values.airflow.separate }}
own_heartbeat.py: | {{- .Files.Get "files/own_heartbeat.py" | nindent 2 }}
{{- else }}
heartbeat.py: | {{- .Files.Get "files/heartbeat.py" | nindent 2 }}
{{- end }}
{{- if .Values.airflow.databaseCleanup.enabled }}
clean_database.py: | {{- .Files.Get "files/clean_database.py" | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.stages.podTemplate }}
pod-template.yaml: | {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
