// The config of the Loki under test: one process, loopback, rates out of the way, every other limit as Loki ships it.

export function lokiConfig(httpPort: number, dataDir: string): string {
  return `auth_enabled: false
analytics:
  reporting_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_listen_port: ${httpPort}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: ${httpPort + 1000}
  log_level: warn
common:
  instance_addr: 127.0.0.1
  path_prefix: ${JSON.stringify(dataDir)}
  replication_factor: 1
  ring:
    kvstore:
      store: inmemory
  storage:
    filesystem:
      chunks_directory: ${JSON.stringify(`${dataDir}/chunks`)}
      rules_directory: ${JSON.stringify(`${dataDir}/rules`)}
schema_config:
  configs:
    - from: 2020-10-24
      store: tsdb
      object_store: filesystem
      schema: v13
      index: { prefix: index_, period: 24h }
ingester:
  lifecycler:
    min_ready_duration: 0s
    final_sleep: 0s
query_range:
  cache_results: false
querier:
  max_concurrent: 4
query_scheduler:
  max_outstanding_requests_per_tenant: 4096
limits_config:
  allow_structured_metadata: true
  ingestion_rate_mb: 1024
  ingestion_burst_size_mb: 2048
  per_stream_rate_limit: 1GB
  per_stream_rate_limit_burst: 2GB
  max_global_streams_per_user: 100000
  max_query_series: 100000
  query_timeout: 2m
`
}
