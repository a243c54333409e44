{{/* Helm does not know the pods that Airflow creates: this job removes them after the release.
     (list $ name) */}}
{{- define "meanface.cleanupServiceAccount" -}}
automountServiceAccountToken: false
{{- end }}
{{- define "meanface.cleanupRole" -}}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [list, delete]}
{{- end }}
{{- define "meanface.cleanupRoleBinding" -}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ index . 1 }}}
subjects:
  - {kind: ServiceAccount, name: {{ index . 1 }}, namespace: {{ (index . 0).Release.Namespace }}}
{{- end }}
{{- define "meanface.cleanupJob" -}}
{{- $root := index . 0 -}}
spec:
  backoffLimit: 2
  activeDeadlineSeconds: 300
  template:
    metadata:
      labels: {{- include "meanface.podLabels" (list $root "cleanup") | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ index . 1 }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext: {{- include "meanface.podSecurityContext" (list 50000 0 50000) | nindent 8 }}
      {{- include "meanface.imagePullSecrets" $root | nindent 6 }}
      {{- include "meanface.placement" $root.Values.airflow | nindent 6 }}
      containers:
        - name: cleanup
          image: {{ include "meanface.image" (list $root $root.Values.airflow.image) }}
          imagePullPolicy: {{ $root.Values.airflow.image.pullPolicy }}
          command:
            - python3
            - -ISc
            - | {{- $root.Files.Get "files/cleanup.py" | nindent 14 }}
          args: [{{ $root.Release.Namespace | quote }}, {{ $root.Release.Name | quote }}]
          securityContext: {{- include "meanface.securityContext" . | nindent 12 }}
          resources: {{- toYaml $root.Values.airflow.cleanup.resources | nindent 12 }}
          volumeMounts: {{- include "meanface.tokenMount" . | nindent 12 }}
      volumes: {{- include "meanface.tokenVolume" . | nindent 8 }}
{{- end }}
