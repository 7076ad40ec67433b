// The record table's layout: one entry of 48 u32 words per record. The same numbers are in assembly/table.ts.

export const RECORD_WORDS = 48
export const RECORD_BYTES = RECORD_WORDS * 4

/** Word numbers of an entry. Addresses are absolute byte addresses in kernel memory; ends are exclusive; 0,0 = not there. */
export const WORD = {
  START: 0,
  END: 1,
  FLAGS: 2,
  LEVEL: 3,
  /** i64, ns since the epoch. */
  TS: 4,
  TS_DIGITS: 6,
  LINE_START: 7,
  LINE_END: 8,
  SERVICE: 9,
  NAMESPACE: 10,
  LOG_TYPE: 11,
  TRACE: 12,
  TRACE_END: 13,
  MESSAGE: 14,
  MESSAGE_END: 15,
  SOURCE: 16,
  SOURCE_END: 17,
  RUNS: 18,
  RUNS_COUNT: 19,
  /** f32. */
  RATE: 20,
  STREAM: 21,
  TIME: 22,
  TIME_END: 23,
  POD_UID: 24,
  POD_UID_END: 25,
  POD_NAME: 26,
  POD_NAME_END: 27,
  CONTAINER_NAME: 28,
  CONTAINER_NAME_END: 29,
  NAMESPACE_RAW: 30,
  NAMESPACE_RAW_END: 31,
  SERVICE_RAW: 32,
  SERVICE_RAW_END: 33,
  LOG_TYPE_RAW: 34,
  LOG_TYPE_RAW_END: 35,
  NODE_NAME: 36,
  NODE_NAME_END: 37,
  SLOW_REASON: 38,
  DROPPED: 39,
  /** Configured fields: the status + 1; 0 = none. */
  STATUS: 40,
  /** Address of the latency's number. */
  LATENCY: 41,
  FIELD_BITS: 42,
  CONTAINERS: 43,
  /** f64, set by judge when LATENCY is not 0. */
  LATENCY_MS: 44,
} as const

export const FLAG = {
  JSON: 1,
  PARTIAL: 2,
  STDERR: 4,
  SLOW: 8,
  TRUNCATED: 16,
  CRI_MALFORMED: 32,
  HAS_CRI_TIME: 64,
  OWN_TIME: 128,
  SKIP: 256,
  KEPT: 512,
  /** Set by judge: counted and decided. */
  JUDGED: 1024,
  /** Preset by the caller of scanSpans: the bytes come from clean.ts, keys are unique, depth is bounded. */
  CLEANED: 2048,
} as const

/** What the host knows better than the record: the record's member is dropped and counted. */
export const TRUST = {
  NAMESPACE: 1,
  POD_UID: 2,
  POD_NAME: 4,
  CONTAINER_NAME: 8,
  NODE_NAME: 16,
  CLUSTER_ID: 32,
  LABELS: 64,
  STREAM: 128,
} as const

/** Everything: what a Kubernetes source trusts. */
export const TRUST_ALL = 255

export const SLOW = {
  UTF8: 1,
  DUPLICATE_KEY: 2,
  DEPTH: 4,
  ESCAPED_KEY: 8,
  TIMESTAMP: 16,
  LEVEL: 32,
  TOO_MANY: 64,
  OTHER: 128,
} as const

/** scanLines' format: every line is a record. */
export const FORMAT_LINES = 0
/** scanLines' format: the container runtime's log lines. */
export const FORMAT_CRI = 1

/** Value of SERVICE or NAMESPACE when the intern table is full or the text is longer than 256 bytes. */
export const INTERN_OVERFLOW = 0xffff
/** A record whose members make more runs than this is SLOW; scans stop when fewer runs than this are free. */
export const RUNS_RESERVE = 1024
/** Streams that the kernel can hold before streamsReset. */
export const STREAMS_MAX = 16384
/** Interned texts before internReset. */
export const INTERN_MAX = 4096
/** Status tables are numbered 1 … STATUS_TABLES; 0 = none. */
export const STATUS_TABLES = 64
/** A status is 0 … STATUSES − 1. */
export const STATUSES = 1000
