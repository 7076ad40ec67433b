// The starter configurations that `millrace init` writes.

export const STARTER_KINDS = ['kubernetes', 'file', 'http'] as const
export type StarterKind = (typeof STARTER_KINDS)[number]

const HEAD: Readonly<Record<StarterKind, string>> = {
  kubernetes: `node:
  id: \${NODE_NAME:-local}             # unique in the cluster; set NODE_NAME from spec.nodeName
  cluster_id: \${CLUSTER_ID:-local}    # written into every record
  data_dir: /var/lib/millrace         # the journal: a hostPath that survives the pod

http:
  listen: 0.0.0.0:7700                # /healthz, /readyz, /metrics, /status; /tap answers loopback clients only

sources:
  pods:
    type: kubernetes
    path: /var/log/pods
    labels_allow: [app.kubernetes.io/name, app]   # pod labels copied into the records
    # exclude_namespaces: [kube-system]
`,
  file: `node:
  id: \${HOSTNAME:-local}              # unique in the cluster
  cluster_id: local                   # written into every record
  data_dir: ./data                    # the journal; relative paths are meant from this file's folder

http:
  listen: 127.0.0.1:7700              # /healthz, /readyz, /metrics, /status, /tap

sources:
  app:
    type: file
    include: [logs/*.log]
    # exclude: [logs/debug-*.log]
    # format: auto                    # auto, json, logfmt, klog, text, cri
    fields: { service_name: app, namespace: default }
    # multiline: { start: '^\\d{4}-' }   # a line that begins a record; the others join it
`,
  http: `node:
  id: \${HOSTNAME:-local}              # unique in the cluster
  cluster_id: local                   # written into every record
  data_dir: ./data                    # the journal; relative paths are meant from this file's folder

http:
  listen: 127.0.0.1:7700              # /healthz, /readyz, /metrics, /status, /tap

sources:
  push:
    type: http
    listen: 127.0.0.1:7701            # POST /ingest with NDJSON or a JSON array
    # token_file: push.token          # required when the address is not loopback
    fields: { service_name: app, namespace: default }
`,
}

const TAIL = `
sampling:
  # Share of records that is kept, by level. sample_rate in a record tells its weight.
  tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 0, trace: 0 }
  debug_services: \${DEBUG_SERVICES:-}  # services whose debug and trace records are kept, with commas

backends:
  es:
    type: elasticsearch
    url: \${ELASTICSEARCH_URL:-http://127.0.0.1:9200}
    index: logs-%Y-%m-%d
    # username: millrace
    # password_file: es.password      # or password: \${ES_PASSWORD}, or api_key_file
  loki:
    type: loki
    url: \${LOKI_URL:-http://127.0.0.1:3100}
    # tenant: main
  # vault: { type: archive, path: ./archive }   # gzip NDJSON by hour, a third copy

journal:
  bytes_max: 10GiB                    # what the disk may hold while a backend is away
  at_bound: block                     # block = sources wait; release, drop_oldest: see README
`

/** The text of a starter; it is valid without any environment variable. */
export function starterConfig(kind: StarterKind): string {
  return `# Millrace. Check it with \`millrace validate\`; all options: \`millrace validate --options\`.\n\n${HEAD[kind]}${TAIL}`
}
