{{/* The services, in the order in which they are named everywhere. */}}
{{- define "app.services" -}}
auth billing analytics features
{{- end }}

{{/* Who may ask whom (docs/services.md). A test compares. */}}
{{- define "app.asks" -}}
auth: []
billing: [auth]
analytics: [auth]
features: [auth, billing, analytics]
{{- end }}

{{/* The name of a release where no dot is allowed: 1.4.0 is 1-4-0. */}}
{{- define "app.slug" -}}
{{- . | replace "." "-" -}}
{{- end }}

{{/* One of `releases`, as a pointer of the values names it. Call with (list $ "workersRelease"). */}}
{{- define "app.release" -}}
{{- $root := index . 0 -}}
{{- $pointer := index . 1 -}}
{{- $known := keys $root.Values.releases | sortAlpha -}}
{{- $said := index $root.Values $pointer -}}
{{- if $said -}}
{{- if not (has $said $known) -}}
{{- fail (printf "%s is %q, which isn't one of releases: %s" $pointer $said (join ", " $known)) -}}
{{- end -}}
{{- $said -}}
{{- else if eq (len $known) 1 -}}
{{- first $known -}}
{{- else -}}
{{- fail (printf "%s must say which of the releases %s it means" $pointer (join ", " $known)) -}}
{{- end -}}
{{- end }}

{{/* What the schema can't see. Included by the settings, so that every render runs it. */}}
{{- define "app.check" -}}
{{- $slugs := list -}}
{{- range $name := keys .Values.releases | sortAlpha -}}
{{- $slugs = append $slugs (include "app.slug" $name) -}}
{{- end -}}
{{- if ne (len $slugs) (len (uniq $slugs)) -}}
{{- fail (printf "two of the releases %s would have one name: dots become dashes" (keys .Values.releases | sortAlpha | join ", ")) -}}
{{- end -}}
{{- range $pointer := list "defaultRelease" "workersRelease" "migrationsRelease" -}}
{{- $_ := include "app.release" (list $ $pointer) -}}
{{- end -}}
{{- range $name, $release := .Values.releases -}}
{{- if hasSuffix ":latest" $release.image -}}
{{- fail (printf "releases.%s.image is %s: name a tag that stays, or a digest. What latest is changes while it runs" $name $release.image) -}}
{{- end -}}
{{- end -}}
{{- range $network := splitList " " (.Values.gateway.settings.GATEWAY_TRUSTED | default "") -}}
{{- if hasSuffix "/0" $network -}}
{{- fail (printf "gateway.settings.GATEWAY_TRUSTED has %s: then anybody could say who they are. Name the networks of what stands in front of the gateway" $network) -}}
{{- end -}}
{{- end -}}
{{- range $name := .Values.secrets.optionalKeys -}}
{{- if hasKey $.Values.settings $name -}}
{{- fail (printf "%s is in settings and in secrets.optionalKeys: it can have one place only" $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "app.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What selects the pods of one component. Call with (dict "root" $ "component" "web" "service" $service "release" $release). */}}
{{- define "app.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .service }}
service: {{ . }}
{{- end }}
{{- with .release }}
release: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where the neighbours of a release are: a release asks only its own kind. */}}
{{- define "app.host" -}}
{{ .service }}-{{ include "app.slug" .release }}
{{- end }}

{{/* The settings of a release that are no secret, by the names that the app reads. */}}
{{- define "app.settings" -}}
{{- $root := .root -}}
{{- $settings := mergeOverwrite (deepCopy $root.Values.settings) (deepCopy $root.Values.extraSettings) -}}
{{- $settings = mergeOverwrite $settings (deepCopy ((index $root.Values.releases .release).settings | default dict)) -}}
{{- $fixed := dict "APP_ENV" "production" "WORKER" "separate" "TRUSTED_PROXIES" 1 "RELEASE" .release -}}
{{- range $service := splitList " " (include "app.services" $root) -}}
{{- $url := printf "http://%s:8000" (include "app.host" (dict "service" $service "release" $.release)) -}}
{{- $_ := set $fixed (printf "%s_URL" (upper $service)) $url -}}
{{- end -}}
{{- range $name, $value := mergeOverwrite $settings $fixed }}
{{- if ne (toString $value) "" }}
{{ $name }}: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of two groups of values, the general and a service's own, the one that counts. */}}
{{- define "app.of" -}}
{{- $own := index .root.Values.services .service | default dict -}}
{{- mergeOverwrite (deepCopy (index .root.Values .kind)) (deepCopy (index $own .kind | default dict)) | toYaml -}}
{{- end }}

{{- define "app.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "app.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What all pods have in common: who they are to the cluster and the cloud, and where they may run. */}}
{{- define "app.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
# Else each Service of the namespace would be in the environment, where settings are read.
enableServiceLinks: false
securityContext:
  {{- include "app.podSecurity" .root | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.scheduling.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas in different zones, and on different machines of a zone. */}}
{{- define "app.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: {{ if eq $key "kubernetes.io/hostname" }}ScheduleAnyway{{ else }}{{ $.root.Values.scheduling.zones }}{{ end }}
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- include "app.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* The places that the application writes to; nothing there has to survive. */}}
{{- define "app.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
- name: instance
  emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{- define "app.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: instance, mountPath: /srv/instance}
{{- end }}

{{/* How long a pod may take to leave: the pause before SIGTERM, DRAIN_SECONDS, gunicorn's
graceful_timeout of 20 seconds, and 5 to spare. */}}
{{- define "app.grace" -}}
{{- add .Values.stopPause (ceil (.Values.settings.DRAIN_SECONDS | default 0)) 20 5 -}}
{{- end }}

{{/* The secret that a service's processes read, and the one with its owner's database URL. */}}
{{- define "app.secret" -}}{{ . }}-settings{{- end }}
{{- define "app.ownerSecret" -}}{{ . }}-migrations{{- end }}

{{/* The secret settings of a service, as JSON: those of all, and what later stages add to its own
(files/stages). */}}
{{- define "app.secretKeys" -}}
{{- $keys := concat .root.Values.secrets.keys .root.Values.secrets.optionalKeys -}}
{{- range $path, $_ := .root.Files.Glob "files/stages/*.yaml" -}}
{{- $more := ($.root.Files.Get $path | fromYaml).secrets | default dict -}}
{{- $keys = concat $keys (index $more $.service | default list) -}}
{{- end -}}
{{- uniq $keys | toJson -}}
{{- end }}

{{/* What later stages run beside each Caddy (files/beside-gateway), as one group: containers,
volumes, mounts of Caddy's, and rules that its configuration imports. */}}
{{- define "app.besideGateway" -}}
{{- $all := dict "containers" list "volumes" list "mounts" list "rules" dict -}}
{{- range $path, $_ := .Files.Glob "files/beside-gateway/*.yaml" -}}
{{- $one := tpl ($.Files.Get $path) $ | fromYaml -}}
{{- range $part := list "containers" "volumes" "mounts" -}}
{{- $_ := set $all $part (concat (get $all $part) (get $one $part | default list)) -}}
{{- end -}}
{{- $_ := set $all "rules" (merge (get $all "rules") (get $one "rules" | default dict)) -}}
{{- end -}}
{{- toYaml $all -}}
{{- end }}

{{/* What brings the pins of `flask rollout` to the Caddy beside it. It signs nothing and serves
nobody, so no key of the application comes near the gateway: in production it would want them all. */}}
{{- define "app.follower" -}}
image: {{ (index .root.Values.releases .release).image }}
imagePullPolicy: IfNotPresent
args: {{ concat (list "flask" "rollout" "follow" "--file" "/gateway/Caddyfile" "--base" "/etc/caddy/Caddyfile") .more | toJson }}
env:
  - {name: APP_ENV, value: development}
  {{- with .root.Values.settings.TENANT_DOMAIN }}
  - {name: TENANT_DOMAIN, value: {{ . | quote }}}
  {{- end }}
envFrom:
  - secretRef: {name: gateway-settings}
securityContext:
  {{- include "app.containerSecurity" .root | nindent 2 }}
resources: {{ toYaml .root.Values.gateway.follow.resources | nindent 2 }}
volumeMounts:
  - {name: tmp-of-follower, mountPath: /tmp}
  - {name: instance, mountPath: /srv/instance}
  - {name: gateway, mountPath: /gateway}
  - {name: configuration, mountPath: /etc/caddy, readOnly: true}
{{- end }}

{{/* The addresses that the product answers at, from PUBLIC_URL and TENANT_DOMAIN. */}}
{{- define "app.hosts" -}}
- {{ (urlParse .Values.settings.PUBLIC_URL).hostname | quote }}
{{- with .Values.settings.TENANT_DOMAIN }}
- {{ printf "*.%s" . | quote }}
{{- end }}
{{- end }}
