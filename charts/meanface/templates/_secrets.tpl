{{/* Names of the Secrets: of Airflow, and with the URLs of its database and of Redis. */}}
{{- define "meanface.airflowSecret" -}}
{{- default (printf "%s-airflow" (include "meanface.fullname" .)) .Values.airflow.existingSecret -}}
{{- end }}
{{- define "meanface.postgresqlSecret" -}}
{{- default (printf "%s-postgresql" (include "meanface.fullname" .)) .Values.database.existingSecret -}}
{{- end }}
{{- define "meanface.databaseSecret" -}}
{{- default (include "meanface.postgresqlSecret" .) .Values.database.external.secret -}}
{{- end }}
{{- define "meanface.ownRedisSecret" -}}
{{- default (printf "%s-redis" (include "meanface.fullname" .)) .Values.redis.existingSecret -}}
{{- end }}
{{- define "meanface.redisSecret" -}}
{{- default (include "meanface.ownRedisSecret" .) .Values.redis.external.secret -}}
{{- end }}

{{/* A random value that stays the same: the cluster's, or else one that is generated once per
     rendering, so that its checksum is right. (list $ name-of-Secret key length) */}}
{{- define "meanface.kept" -}}
{{- $root := index . 0 -}}
{{- $secret := index . 1 -}}
{{- $key := index . 2 -}}
{{- $made := $root.Values.generated | default dict -}}
{{- $id := printf "%s/%s" $secret $key -}}
{{- if not (hasKey $made $id) -}}
{{- $found := dig "data" $key "" (lookup "v1" "Secret" $root.Release.Namespace $secret | default dict) -}}
{{- $value := ternary ($found | b64dec) (randAlphaNum (index . 3 | int)) (ne $found "") -}}
{{- $_ := set $root.Values "generated" (set $made $id $value) -}}
{{- end -}}
{{- index $root.Values.generated $id -}}
{{- end }}

{{/* Data of Airflow's Secret. A Fernet key is 32 bytes in base64. */}}
{{- define "meanface.airflowSecretData" -}}
{{- $name := include "meanface.airflowSecret" . -}}
{{- $password := include "meanface.kept" (list . $name "admin-password" 24) -}}
admin-password: {{ $password | b64enc }}
passwords.json: {{ dict "admin" $password | toJson | b64enc }}
fernet-key: {{ include "meanface.fernetKey" (list . $name) | b64enc }}
api-secret-key: {{ include "meanface.kept" (list . $name "api-secret-key" 64) | b64enc }}
jwt-secret: {{ include "meanface.kept" (list . $name "jwt-secret" 64) | b64enc }}
{{- end }}
{{- define "meanface.fernetKey" -}}
{{- $key := include "meanface.kept" (list (index . 0) (index . 1) "fernet-key" 32) -}}
{{- ternary ($key | b64enc) $key (eq (len $key) 32) -}}
{{- end }}

{{/* Data of PostgreSQL's Secret: the password of the role `airflow`, and the URL with it. */}}
{{- define "meanface.postgresqlSecretData" -}}
{{- $password := include "meanface.kept" (list . (include "meanface.postgresqlSecret" .) "password" 40) -}}
{{- $host := printf "%s-postgresql.%s.svc" (include "meanface.fullname" .) .Release.Namespace -}}
password: {{ $password | b64enc }}
connection: {{ printf "postgresql+psycopg2://airflow:%s@%s:5432/airflow" $password $host | b64enc }}
{{- end }}

{{/* Data of Redis' Secret: a user for stages and Airflow, one for probes, and one for
     administrators. */}}
{{- define "meanface.redisSecretData" -}}
{{- $name := include "meanface.ownRedisSecret" . -}}
{{- $password := include "meanface.kept" (list . $name "password" 40) -}}
{{- $probe := include "meanface.kept" (list . $name "probe-password" 40) -}}
{{- $admin := include "meanface.kept" (list . $name "admin-password" 40) -}}
{{- $host := printf "%s-redis.%s.svc" (include "meanface.fullname" .) .Release.Namespace -}}
password: {{ $password | b64enc }}
probe-password: {{ $probe | b64enc }}
admin-password: {{ $admin | b64enc }}
url: {{ printf "redis://meanface:%s@%s:6379/0" $password $host | b64enc }}
{{- $users := include "meanface.redisUsers" (list $password $probe $admin) }}
{{- if include "meanface.ownMetricsUser" . }}
{{- $metrics := include "meanface.kept" (list . $name "metrics-password" 40) }}
metrics-password: {{ $metrics | b64enc }}
metrics-url: {{ printf "redis://metrics:%s@%s:6379/0" $metrics $host | b64enc }}
{{- $users = printf "%s%s\n" $users (include "meanface.metricsRedisUser" $metrics) }}
{{- end }}
users.acl: {{ $users | b64enc }}
{{- end }}
{{/* The default user is off and has no password, so no client can log in as it. But Redis loads its
     append-only file as that user, and silently drops writes of scripts that the user may not do
     (redis/redis#14541, valkey-io/valkey#3983). */}}
{{- define "meanface.redisUsers" -}}
user default off resetpass ~* &* +@all
user meanface on #{{ index . 0 | sha256sum }} resetkeys ~meanface:* resetchannels -@all +ping +client|setname +eval +get +set +hget +hset +hkeys +hmget +hgetall +hvals +expire +exists +del +unlink
user probe on #{{ index . 1 | sha256sum }} resetkeys resetchannels -@all +ping
user admin on #{{ index . 2 | sha256sum }} ~* &* +@all
{{ end }}
