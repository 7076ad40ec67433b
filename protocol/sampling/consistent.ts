// Consistent probability sampling as OpenTelemetry specifies it: who keeps a trace at a rate keeps it at every higher one, on every node.

/*
 * https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ and OTEP 235: a trace has 56 bits of randomness R, the
 * last 14 hexadecimal digits of its id (W3C trace context, level 2); a rate p becomes the rejection threshold T = (1 − p) × 2^56, and what
 * has R ≥ T is kept. The kernel's judge does the same on bytes; this says it plainly, for tests and for what explains a verdict.
 */
const RANDOM_RANGE = 2 ** 56
const RANDOM_MASK = (1n << 56n) - 1n
const MASK_64 = (1n << 64n) - 1n
const NO_TRACE = /^[0-]*$/
const TRACE_ID = /^[0-9a-f]{32}$/i

/** 0 … 2^56; what has as much randomness or more is kept. The rate counts as the kernel holds it, a 32-bit float. */
export function rejectionThreshold(rate: number): bigint {
  return BigInt(Math.round((1 - Math.min(1, Math.max(0, Math.fround(rate)))) * RANDOM_RANGE))
}

/** 56 bits: of a W3C trace id its own, of any other text a hash that is the same everywhere (FNV-1a, finished as MurmurHash3 does). */
export function traceRandomness(traceId: string): bigint {
  if (TRACE_ID.test(traceId)) return BigInt(`0x${traceId}`) & RANDOM_MASK
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(traceId)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK_64
  }
  hash = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & MASK_64
  hash = ((hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK_64
  return (hash ^ (hash >> 33n)) & RANDOM_MASK
}

/**
 * False for what loggers write where there is no trace: nothing, or only zeros and dashes, such as the all-zero id, which W3C trace context calls
 * invalid. Such records are kept each by chance of its own.
 */
export function namesTrace(traceId: string): boolean {
  return !NO_TRACE.test(traceId)
}

/** Whether records of this trace are kept at a rate 0 … 1; for texts that name a trace. */
export function keepsTrace(traceId: string, rate: number): boolean {
  if (rate >= 1) return true
  return rate > 0 && traceRandomness(traceId) >= rejectionThreshold(rate)
}
