{{/* Prefix of all object names; short enough for a StatefulSet's pods and their labels. */}}
{{- define "meanface.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Labels that select the pods of one component: (list $ component). */}}
{{- define "meanface.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: meanface
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of an object: (list $ component). */}}
{{- define "meanface.labels" -}}
{{- $root := index . 0 -}}
{{ include "meanface.podLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of a component's pods, without versions, so that a new chart version alone restarts
     nothing. */}}
{{- define "meanface.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "meanface.selectorLabels" . }}
app.kubernetes.io/part-of: meanface
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Selector of the stages' pods, which Airflow creates. */}}
{{- define "meanface.stageSelector" -}}
matchLabels:
  app.kubernetes.io/name: meanface
  app.kubernetes.io/instance: {{ .Release.Name }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [plan, embed, reduce]}
{{- end }}

{{/* Full name of a meanface image: (list $ image). */}}
{{- define "meanface.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{ $root.Values.imageRegistry }}{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end }}

{{- define "meanface.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Placement of a component's pods, from its values. */}}
{{- define "meanface.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An option's value as a text: 1000000 for the number 1000000, which Go prints as 1e+06. */}}
{{- define "meanface.option" -}}
{{- ternary (toString .) (toJson .) (kindIs "string" .) -}}
{{- end }}

{{/* Security context of a pod for Pod Security `restricted`: (list user group group-of-volumes).
     */}}
{{- define "meanface.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ index . 0 }}
runAsGroup: {{ index . 1 }}
fsGroup: {{ index . 2 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Security context of a container for Pod Security `restricted`. */}}
{{- define "meanface.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Service accounts of Airflow and of the stages. */}}
{{- define "meanface.airflowAccount" -}}
{{- default (printf "%s-airflow" (include "meanface.fullname" .)) .Values.airflow.serviceAccount.name -}}
{{- end }}
{{- define "meanface.stagesAccount" -}}
{{- default (printf "%s-stages" (include "meanface.fullname" .)) .Values.stages.serviceAccount.name -}}
{{- end }}

{{/* Name of the storage claim; empty if the runs' files are in a bucket. */}}
{{- define "meanface.storageClaim" -}}
{{- if not .Values.storage.url -}}
{{- default (printf "%s-storage" (include "meanface.fullname" .)) .Values.storage.claim.existingClaim -}}
{{- end -}}
{{- end }}

{{/* Not empty if all pods with the storage claim must be on one node. An existing claim counts more
     than the values. */}}
{{- define "meanface.oneNode" -}}
{{- with include "meanface.storageClaim" . -}}
{{- $found := lookup "v1" "PersistentVolumeClaim" $.Release.Namespace . | default dict -}}
{{- if not (has "ReadWriteMany" (dig "spec" "accessModes" $.Values.storage.claim.accessModes $found)) -}}
one
{{- end -}}
{{- end -}}
{{- end }}

{{/* An affinity term for the node of the selected pods. */}}
{{- define "meanface.sameNode" -}}
topologyKey: kubernetes.io/hostname
labelSelector: {{- . | nindent 2 }}
{{- end }}

{{/* Affinity of the stages: from the values or the pod template; otherwise Airflow's node, if only
     one node can mount the storage claim. */}}
{{- define "meanface.stagesAffinity" -}}
{{- $chosen := .Values.stages.affinity | default (dig "spec" "affinity" dict .Values.stages.podTemplate) -}}
{{- if $chosen -}}
{{- toJson .Values.stages.affinity -}}
{{- else if and .Values.airflow.enabled (include "meanface.oneNode" .) -}}
{{- $airflow := printf "matchLabels:\n%s" (include "meanface.selectorLabels" (list . "airflow") | indent 2) -}}
{{- $term := include "meanface.sameNode" $airflow | fromYaml -}}
{{- dict "podAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term)) | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end }}
