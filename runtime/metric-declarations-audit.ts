// The metrics of the audit and of the dead letters that wait: a part of those that metric-declarations.ts holds.

export const AUDIT_METRICS = {
  dead_letters_waiting: {
    type: 'gauge',
    help: 'Records that lie in the dead letters and wait for the operator',
    labels: ['backend'],
  },
  dead_letters_bytes: { type: 'gauge', help: 'Bytes of the dead letters on disk', labels: ['backend'] },
  dead_letters_shared_total: {
    type: 'counter',
    help: 'Dead letters that went from the folder into the stream MILLRACE_DLQ',
    labels: ['backend'],
  },
  dead_letters_share_failed_total: {
    type: 'counter',
    help: 'Tries to put dead letters into the stream that failed: they stay in the folder',
    labels: [],
  },
  dead_letters_stream_letters: {
    type: 'gauge',
    help: 'Messages in the stream MILLRACE_DLQ; every node tells it',
    labels: [],
  },
  dead_letters_stream_bytes: { type: 'gauge', help: 'Bytes of that stream', labels: [] },
  audit_frames_total: { type: 'counter', help: 'Frames checked, by outcome', labels: ['outcome'] },
  audit_records_total: { type: 'counter', help: 'Records checked', labels: [] },
  audit_compared_total: {
    type: 'counter',
    help: 'Records compared byte for byte between the backends and the journal',
    labels: [],
  },
  audit_differences_total: {
    type: 'counter',
    help: 'Differing records found, by kind (missing, extra, altered)',
    labels: ['backend', 'kind'],
  },
  audit_repaired_total: {
    type: 'counter',
    help: 'Missing records sent again, by where they came from',
    labels: ['backend', 'from'],
  },
  audit_unrepaired_total: {
    type: 'counter',
    help: 'Missing records that could not be brought back, by reason',
    labels: ['backend', 'reason'],
  },
  audit_queries_total: { type: 'counter', help: 'Queries of the audit', labels: ['backend'] },
  audit_waiting_frames: { type: 'gauge', help: 'Frames in the queue of the audit', labels: [] },
  audit_shared_waiting_frames: {
    type: 'gauge',
    help: 'Tasks in the queue that all nodes with these backends share; every one of them tells it',
    labels: [],
  },
  audit_tasks_total: {
    type: 'counter',
    help: "Tasks put, by queue: shared (NATS), local (this node's folder)",
    labels: ['queue'],
  },
  audit_fallback_tasks_total: {
    type: 'counter',
    help: "Tasks that went to this node's own folder although they belong into the shared queue",
    labels: [],
  },
  audit_handed_total: {
    type: 'counter',
    help: 'Frames of another node with a difference, handed to that node to mend, by whether it answered',
    labels: ['answered'],
  },
  audit_lag_seconds: {
    type: 'gauge',
    help: 'How long the oldest due frame waits for its check',
    labels: [],
  },
  audit_released_frames_total: {
    type: 'counter',
    help: 'Frames that left the journal before they were checked (queued: they still will be)',
    labels: ['state'],
  },
} as const
