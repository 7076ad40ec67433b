// Every metric of the product, each declared once: the names that users alert on.
import { BUFFER_METRICS } from './metric-declarations-buffer.js'
import { AUDIT_METRICS } from './metric-declarations-audit.js'

/** Every metric of the product: type, help, labels. All names start with `log_pipeline_`. */
export const METRICS = {
  records_read_total: { type: 'counter', help: 'Records read from a source', labels: ['source'] },
  bytes_read_total: { type: 'counter', help: 'Bytes read from a source', labels: ['source'] },
  records_kept_total: { type: 'counter', help: 'Records kept by sampling', labels: ['level'] },
  records_dropped_total: {
    type: 'counter',
    help: 'Records not kept, by what set their rate: sampled_tier, sampled_info_live (the traffic), sampled_info_fixed (info.services, tiers.info), sampled_metric, sampled_rule',
    labels: ['reason'],
  },
  sampling_seen_total: {
    type: 'counter',
    help: 'Records before sampling, by service (a bounded number of names, the rest is `other`) and level',
    labels: ['namespace', 'service', 'level'],
  },
  sampling_kept_total: {
    type: 'counter',
    help: 'Records that sampling kept, by service and level',
    labels: ['namespace', 'service', 'level'],
  },
  sampling_seen_bytes_total: {
    type: 'counter',
    help: 'Bytes of records before sampling, by service and level',
    labels: ['namespace', 'service', 'level'],
  },
  sampling_kept_bytes_total: {
    type: 'counter',
    help: 'Bytes of records that sampling kept, as they came, by service and level',
    labels: ['namespace', 'service', 'level'],
  },
  sampling_info_rate: {
    type: 'gauge',
    help: "Rate of a service's info records by the live traffic, before rules and boosts; 1 once it is silent",
    labels: ['namespace', 'service'],
  },
  sampling_services: { type: 'gauge', help: 'Services whose traffic is followed', labels: [] },
  sampling_shared_records_total: {
    type: 'counter',
    help: 'Records of services beyond sampling.info.services_max, which share one rate',
    labels: [],
  },
  sampling_rule_services: {
    type: 'gauge',
    help: 'Services for which a rule holds because of their window, of now or within its `for`, by rule; what it takes by status alone does not count',
    labels: ['rule'],
  },
  sampling_status_tables_full_total: {
    type: 'counter',
    help: 'Times a stream was kept at the highest rate of its rules because all status tables were taken',
    labels: [],
  },
  sampling_boosts: { type: 'gauge', help: 'Boosts in force', labels: [] },
  sampling_boosts_refused_total: {
    type: 'counter',
    help: 'Boosts refused: too many, without a match, or already over',
    labels: [],
  },
  sampling_decisions_refused_total: {
    type: 'counter',
    help: 'Decisions that were too large to publish; the last ones stayed',
    labels: [],
  },
  sampling_reloads_total: {
    type: 'counter',
    help: 'New sampling sections by outcome: applied, refused, late (published, not yet read)',
    labels: ['outcome'],
  },
  records_cleaned_total: {
    type: 'counter',
    help: 'Records repaired before they were accepted, by reason',
    labels: ['reason'],
  },
  fields_dropped_total: {
    type: 'counter',
    help: 'Record members dropped: duplicates, reserved names, and what the host overrides',
    labels: [],
  },
  records_unknown_field_total: {
    type: 'counter',
    help: 'Records whose mandatory field was filled with a fallback',
    labels: ['field'],
  },
  lines_truncated_total: { type: 'counter', help: 'Lines cut at line_bytes_max', labels: [] },
  files_open: { type: 'gauge', help: 'Files held open', labels: ['source'] },
  files_truncated_total: {
    type: 'counter',
    help: 'Files that became shorter than their position (copytruncate)',
    labels: ['source'],
  },
  source_errors_total: {
    type: 'counter',
    help: 'Faults of a source, by reason',
    labels: ['source', 'reason'],
  },
  http_requests_total: { type: 'counter', help: 'Push requests by status', labels: ['source', 'status'] },
  frames_sealed_total: { type: 'counter', help: 'Frames sealed', labels: [] },
  flow_stopped_total: {
    type: 'counter',
    help: 'Times reading was stopped by backpressure',
    labels: ['reason'],
  },
  journal_bytes: { type: 'gauge', help: 'Bytes of the journal on disk', labels: [] },
  journal_bytes_max: { type: 'gauge', help: 'Bound of the journal on disk, journal.bytes_max', labels: [] },
  journal_blocked: {
    type: 'gauge',
    help: '1: the journal is full and sources wait for a backend; files wait on disk, HTTP gets 429',
    labels: [],
  },
  journal_segments: { type: 'gauge', help: 'Segments of the journal', labels: [] },
  journal_appended_bytes_total: { type: 'counter', help: 'Bytes appended to the journal', labels: [] },
  journal_fsync_seconds: {
    type: 'histogram',
    help: 'Time of one group commit',
    labels: [],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
  },
  journal_errors_total: { type: 'counter', help: 'Failed journal writes, by system code', labels: ['code'] },
  journal_corrupt_total: {
    type: 'counter',
    help: 'Corrupt places found in the journal, by kind',
    labels: ['kind'],
  },
  journal_dropped_records_total: {
    type: 'counter',
    help: 'Records given up by the disk bound before a backend had them',
    labels: ['backend'],
  },
  journal_dropped_frames_total: {
    type: 'counter',
    help: 'Frames given up before a backend had them, by reason: disk_bound, corrupt, gone; counted also where their records are not known',
    labels: ['backend', 'reason'],
  },
  journal_released_records_total: {
    type: 'counter',
    help: 'Records that left at the disk bound before a backend had them; another has, and the audit copies them from there',
    labels: ['backend'],
  },
  write_records_total: { type: 'counter', help: 'Records acknowledged by a backend', labels: ['backend'] },
  write_bytes_total: {
    type: 'counter',
    help: 'Request bytes acknowledged by a backend',
    labels: ['backend'],
  },
  write_requests_total: {
    type: 'counter',
    help: 'Requests to a backend by outcome',
    labels: ['backend', 'outcome'],
  },
  write_failed_total: { type: 'counter', help: 'Failed requests to a backend', labels: ['backend'] },
  write_repeated_total: {
    type: 'counter',
    help: 'Records that a backend turned out to have before they were sent again',
    labels: ['backend'],
  },
  write_unchecked_total: {
    type: 'counter',
    help: 'Records sent again though the backend did not answer whether it has them: there may be copies',
    labels: ['backend'],
  },
  write_seconds: {
    type: 'histogram',
    help: 'Time of one request to a backend',
    labels: ['backend'],
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
  },
  write_lag_frames: {
    type: 'gauge',
    help: 'Frames of the journal that a backend has not acknowledged',
    labels: ['backend'],
  },
  write_lag_seconds: {
    type: 'gauge',
    help: 'Age of the oldest frame that a backend has not acknowledged',
    labels: ['backend'],
  },
  write_concurrency: {
    type: 'gauge',
    help: 'Requests that may be in flight to a backend',
    labels: ['backend'],
  },
  breaker_open: {
    type: 'gauge',
    help: "1 while a backend's breaker is open, 0.5 half-open",
    labels: ['backend'],
  },
  raw_documents_total: {
    type: 'counter',
    help: 'Records stored as raw documents because their shape was refused',
    labels: ['backend'],
  },
  dead_letters_total: {
    type: 'counter',
    help: 'Records put into the dead letters, by reason',
    labels: ['backend', 'reason'],
  },
  captures_total: { type: 'counter', help: 'Captures of dying containers, by reason', labels: ['reason'] },
  captures_skipped_total: {
    type: 'counter',
    help: 'Ends of containers that were noticed and not captured, by policy',
    labels: ['policy'],
  },
  captures_stored_total: { type: 'counter', help: 'Captures that the store has taken', labels: [] },
  captures_lost_total: {
    type: 'counter',
    help: 'Captures given up before the store had them, by reason',
    labels: ['reason'],
  },
  captures_waiting: { type: 'gauge', help: 'Captures on disk that the store does not have yet', labels: [] },
  capture_store_errors_total: {
    type: 'counter',
    help: 'Failed tries to store a capture, by code',
    labels: ['code'],
  },
  capture_seconds: {
    type: 'histogram',
    help: "Time from the detection of a container's end to its capture in the store",
    labels: [],
    buckets: [0.5, 1, 1.5, 2, 5, 30, 300],
  },
  ...AUDIT_METRICS,
  ...BUFFER_METRICS,
  actor_restarts_total: { type: 'counter', help: 'Restarts of a thread group', labels: ['group'] },
  control_requests_total: {
    type: 'counter',
    help: 'Verbs that the node was told, by outcome',
    labels: ['verb', 'outcome'],
  },
  nats_connected: { type: 'gauge', help: '1 while the node is connected to NATS', labels: [] },
  nats_connects_total: { type: 'counter', help: 'Connections to NATS that were set up', labels: [] },
  nats_refused_total: {
    type: 'counter',
    help: 'Messages on our NATS subjects that were refused, or too long to be sent, by subject and reason',
    labels: ['subject', 'reason'],
  },
  cluster_nodes: {
    type: 'gauge',
    help: 'Nodes whose traffic this node sums; 0 on the others',
    labels: [],
  },
  settings_applied_total: { type: 'counter', help: "Cluster's settings applied", labels: [] },
  settings_refused_total: { type: 'counter', help: "Cluster's settings refused", labels: [] },
  labels_wait_total: {
    type: 'counter',
    help: 'Pods whose records went on without labels after the bounded wait',
    labels: [],
  },
} as const satisfies Record<string, MetricDeclaration>

export interface MetricDeclaration {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  readonly buckets?: readonly number[]
}
