{{/* Secret whose key `url` (of the chart's own Redis: `metrics-url`) has the exporter's URL of Redis. */}}
{{- define "meanface.metricsRedisSecret" -}}
{{- if .Values.metrics.redisSecret -}}
{{- .Values.metrics.redisSecret -}}
{{- else if or .Values.redis.external.secret .Values.redis.existingSecret -}}
{{- fail "metrics.redisSecret: with redis.external.secret or redis.existingSecret, name a Secret whose key `url` is the URL of Redis for the exporter; its user's permissions are in docs/metrics.md" -}}
{{- else -}}
{{- include "meanface.ownRedisSecret" . -}}
{{- end -}}
{{- end }}

{{/* The exporter's user of Redis: it reads runs, and writes one key of its own. */}}
{{- define "meanface.metricsRedisUser" -}}
user metrics on #{{ . | sha256sum }} resetkeys %R~meanface:* ~meanface-metrics resetchannels -@all +ping +client|setname +scan +get +set +exists +hlen +hkeys +hmget +hgetall +watch +unwatch +multi +exec +info
{{- end }}

{{/* Whether the chart's own Redis has the exporter's user. */}}
{{- define "meanface.ownMetricsUser" -}}
{{- if and .Values.metrics.enabled (not .Values.metrics.redisSecret) -}}
own
{{- end -}}
{{- end }}

{{/* Prometheus' rules, with the greatest age of a series. */}}
{{- define "meanface.alerts" -}}
{{- .Files.Get "files/alerts.yaml" | replace "36 * 3600" (printf "%v * 3600" .Values.metrics.rules.seriesHours) -}}
{{- end }}
