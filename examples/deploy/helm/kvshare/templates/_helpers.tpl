{{- define "kvshare.labels" -}}
app.kubernetes.io/name: kvshare
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kvshare.common" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
imagePullPolicy: {{ .Values.image.pullPolicy | default "IfNotPresent" }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- with .Values.env }}
env:
  {{- range $name, $value := . }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "kvshare.runner" -}}
- name: runner
  {{- include "kvshare.common" . | nindent 2 }}
  {{- if eq .Values.runnerAs "native-sidecar" }}
  restartPolicy: Always
  {{- end }}
  # The pod alone reaches it.
  args: {{ concat (list "runner" "--port" "8081" "--host" "127.0.0.1") .Values.runner.args | toJson }}
  # On the loopback nobody but the container itself can ask.
  startupProbe:
    exec: &alive
      command: [node, -e, "fetch('http://127.0.0.1:8081/livez').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
    periodSeconds: 2
    timeoutSeconds: 3
    failureThreshold: 90
  livenessProbe: { exec: *alive, periodSeconds: 20, timeoutSeconds: 15, failureThreshold: 6 }
  resources: {{ toJson .Values.runner.resources }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    {{- if .Values.kvVolume }}
    - { name: kv, mountPath: /kv }
    {{- end }}
{{- end }}
