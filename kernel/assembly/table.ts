// The record table's layout, as byte offsets into an entry. The same layout in words is in kernel/table.ts.

export const RECORD_BYTES: usize = 192

export const START: usize = 0
export const END: usize = 4
export const FLAGS: usize = 8
export const LEVEL: usize = 12
export const TS: usize = 16
export const TS_DIGITS: usize = 24
export const LINE_START: usize = 28
export const LINE_END: usize = 32
export const SERVICE: usize = 36
export const NAMESPACE: usize = 40
export const LOG_TYPE: usize = 44
export const TRACE: usize = 48
export const MESSAGE: usize = 56
export const SOURCE: usize = 64
export const RUNS: usize = 72
export const RUNS_COUNT: usize = 76
export const RATE: usize = 80
export const STREAM: usize = 84
export const TIME: usize = 88
export const POD_UID: usize = 96
export const POD_NAME: usize = 104
export const CONTAINER_NAME: usize = 112
export const NAMESPACE_RAW: usize = 120
export const SERVICE_RAW: usize = 128
export const LOG_TYPE_RAW: usize = 136
export const NODE_NAME: usize = 144
export const SLOW_REASON: usize = 152
export const DROPPED: usize = 156
/** Configured fields: the status + 1; 0 = none. */
export const STATUS: usize = 160
/** Address of the latency's number, 0 = none. */
export const LATENCY: usize = 164
/** Bits 0–1 the latency's unit, 2–7 the generation of the field names, then 6 bits for each container's prefix number. */
export const FIELD_BITS: usize = 168
/** Addresses of up to CONTAINERS_MAX objects that may hold status or latency. */
export const CONTAINERS: usize = 172
/** f64, once judged: the latency; it lies over the containers, which are done with by then. */
export const LATENCY_MS: usize = 176

export const F_JSON: u32 = 1
export const F_PARTIAL: u32 = 2
export const F_STDERR: u32 = 4
export const F_SLOW: u32 = 8
export const F_TRUNCATED: u32 = 16
export const F_CRI_MALFORMED: u32 = 32
export const F_HAS_CRI_TIME: u32 = 64
export const F_OWN_TIME: u32 = 128
export const F_SKIP: u32 = 256
export const F_KEPT: u32 = 512
export const F_JUDGED: u32 = 1024
export const F_CLEANED: u32 = 2048

export const T_NAMESPACE: u32 = 1
export const T_POD_UID: u32 = 2
export const T_POD_NAME: u32 = 4
export const T_CONTAINER_NAME: u32 = 8
export const T_NODE_NAME: u32 = 16
export const T_LABELS: u32 = 64
export const T_STREAM: u32 = 128

export const SLOW_UTF8: u32 = 1
export const SLOW_DUPLICATE: u32 = 2
export const SLOW_DEPTH: u32 = 4
export const SLOW_ESCAPED_KEY: u32 = 8
export const SLOW_TIME: u32 = 16
export const SLOW_LEVEL: u32 = 32
export const SLOW_TOO_MANY: u32 = 64
export const SLOW_OTHER: u32 = 128

/** Objects of one record that are looked into for nested fields; more are not. */
export const CONTAINERS_MAX: u32 = 4

/** Runs that one record may have before it is SLOW. */
export const RUNS_RESERVE: usize = 1024
/** Containers nested deeper than this (the record itself is 1) are SLOW. */
export const DEPTH_MAX: u32 = 100
/** A record nested deeper than this is not JSON for us. */
export const DEPTH_LIMIT: u32 = 10000
