{{- define "eventcore.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{- define "eventcore.selector" -}}
app.kubernetes.io/name: eventcore-backup
app.kubernetes.io/instance: {{ include "eventcore.name" . }}
{{- end -}}

{{- define "eventcore.labels" -}}
{{ include "eventcore.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The template of a pod. Takes: root, component, args, restartPolicy, isDaemon for its probes, and isWorker for what is left out with those. */}}
{{- define "eventcore.pod" -}}
{{- $ := .root -}}
{{- $component := .component -}}
{{- $files := ternary $.Values.workers.files $.Values.files.items (eq .component "worker") -}}
metadata:
  labels:
    {{- include "eventcore.selector" $ | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- with $.Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "eventcore.name" $ }}
  automountServiceAccountToken: {{ and (not .isWorker) (not (empty $.Values.recovery.targets)) }}
  enableServiceLinks: false
  restartPolicy: {{ .restartPolicy }}
  terminationGracePeriodSeconds: {{ ternary 60 90 (eq .component "worker") }}
  {{- with $.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if or .isWorker (and .isDaemon (not $.Values.volumes)) }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "eventcore.selector" $ | nindent 10 }}
          app.kubernetes.io/component: {{ $component }}
    {{- end }}
  {{- end }}
  {{- with $.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: eventcore
      image: {{ printf "%s:%s" $.Values.image.repository (default $.Chart.AppVersion $.Values.image.tag) }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      env:
        - name: EVENTCORE_CONFIG
          value: /etc/eventcore/eventcore.config.yaml
        {{- with ternary $.Values.workers.env $.Values.env (eq .component "worker") }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if .isDaemon }}
      ports:
        - name: http
          containerPort: 8321
          protocol: TCP
      startupProbe:
        httpGet: { path: /livez, port: http{{ if $.Values.tls }}, scheme: HTTPS{{ end }} }
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet: { path: /livez, port: http{{ if $.Values.tls }}, scheme: HTTPS{{ end }} }
        periodSeconds: 20
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: http{{ if $.Values.tls }}, scheme: HTTPS{{ end }} }
        periodSeconds: 10
        timeoutSeconds: 5
      {{- end }}
      resources:
        {{- toYaml (ternary $.Values.workers.resources $.Values.resources (eq .component "worker")) | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: config
          mountPath: /etc/eventcore
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- range $i, $volume := $.Values.volumes }}
        - name: volume-{{ add1 $i }}
          mountPath: {{ $volume.path }}
        {{- end }}
  volumes:
    - name: config
      projected:
        defaultMode: 288 # 0440
        sources:
          - configMap:
              name: {{ default (printf "%s-config" (include "eventcore.name" $)) $.Values.existingConfigMap }}
          {{- if $files }}
          - secret:
              name: {{ default (printf "%s-files" (include "eventcore.name" $)) $.Values.files.existingSecret }}
              items:
                {{- toYaml $files | nindent 16 }}
          {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: {{ $.Values.temporarySize }}
    {{- range $i, $volume := $.Values.volumes }}
    - name: volume-{{ add1 $i }}
      persistentVolumeClaim:
        claimName: {{ $volume.claim }}
    {{- end }}
{{- end -}}
