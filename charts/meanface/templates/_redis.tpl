{{/* redis.conf: writes are on disk within a second, and nothing is evicted when memory is full.
     */}}
{{- define "meanface.redisConfiguration" -}}
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory {{ .Values.redis.maxmemory }}
maxmemory-policy noeviction
aclfile /etc/meanface/users.acl
{{ end }}

{{/* While Redis loads its data it replies LOADING, not PONG. */}}
{{- define "meanface.redisProbes" -}}
{{- $ping := `exec: {command: [sh, -c, 'test "$(redis-cli --user probe ping)" = PONG']}` -}}
startupProbe:
  {{ $ping }}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 150
readinessProbe:
  {{ $ping }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  {{ $ping }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}
