// The metrics of the buffer in JetStream, part of the one declaration in metric-declarations.ts.

export const BUFFER_METRICS = {
  buffer_published_total: { type: 'counter', help: 'Frames that JetStream has acknowledged', labels: [] },
  buffer_published_bytes_total: { type: 'counter', help: 'Bytes of these frames, compressed', labels: [] },
  buffer_published_again_total: {
    type: 'counter',
    help: 'Frames published although JetStream may have had them already',
    labels: [],
  },
  buffer_duplicates_total: {
    type: 'counter',
    help: 'Frames that JetStream had already, and dropped by their id',
    labels: [],
  },
  buffer_publish_failed_total: {
    type: 'counter',
    help: 'Publishes without success; tried again',
    labels: [],
  },
  buffer_split_total: {
    type: 'counter',
    help: 'Frames larger than a message may be, published in pieces',
    labels: [],
  },
  buffer_window: { type: 'gauge', help: 'Frames published and not yet acknowledged', labels: [] },
  buffer_received_total: {
    type: 'counter',
    help: "Frames that a backend's consumer handed to this node",
    labels: ['backend'],
  },
  buffer_redelivered_total: {
    type: 'counter',
    help: 'Of these, frames that were handed to some writer before',
    labels: ['backend'],
  },
  buffer_pending: { type: 'gauge', help: 'Frames that wait in JetStream for a backend', labels: ['backend'] },
  buffer_ack_pending: {
    type: 'gauge',
    help: "Frames in the hands of a backend's writers, on all nodes",
    labels: ['backend'],
  },
} as const
