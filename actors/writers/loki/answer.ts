// What Loki's answers to a push mean: the status alone is not enough, a 400 can be a rate limit, a 500 can be for ever.

export type Verdict =
  | { readonly kind: 'stored' }
  /** Wait and send the same again. */
  | { readonly kind: 'retry' }
  /** Some entries can never be taken; find them. */
  | { readonly kind: 'poison'; readonly reason: string }
  /** Entries before (too_old) or after (too_new) this time are refused, whatever their stream; ms. */
  | { readonly kind: 'outside'; readonly reason: 'too_old' | 'too_new'; readonly edgeMs: number }
  /** Entries of this stream before this time are too far behind its newest; ms. */
  | { readonly kind: 'behind'; readonly edgeMs: number }
  /** The push as a whole is too large. */
  | { readonly kind: 'too_large' }
  /** The server may not recover by itself from this push: after some tries look for a poison entry. */
  | { readonly kind: 'suspect' }

const SUSPECT: Verdict = { kind: 'suspect' }
const RETRY: Verdict = { kind: 'retry' }

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/max entry size/i, 'line_too_long'],
  [/too far behind|out of order/i, 'too_far_behind'],
  [/too old/i, 'too_old'],
  [/too new/i, 'too_new'],
  [/label/i, 'labels'],
  [/structured metadata/i, 'metadata'],
]

/** Refusals of all entries alike, which the operator mends: no entry is to blame. */
const OPERATOR = /feature is disallowed|missing required labels|no org id/i

/** Observed on Loki 3.7.8; see pkg/validation/validate.go and pkg/ingester/stream.go for the texts. */
export function verdictOf(status: number, text: string): Verdict {
  if (status === 204) return { kind: 'stored' }
  if (status === 260) return { kind: 'poison', reason: 'blocked' }
  if (status === 413) return { kind: 'too_large' }
  if (status === 400 || status === 422) return verdictOfRefusal(text)
  if (status !== 500) return RETRY
  if (/larger than max|ResourceExhausted/i.test(text)) return { kind: 'too_large' }
  if (/no schema config found/i.test(text)) return { kind: 'poison', reason: 'no_schema' }
  return SUSPECT
}

function verdictOfRefusal(text: string): Verdict {
  // A limit that is over after a while, in the words of the 429s.
  if (/rate limit|maximum active stream limit|limit exceeded \(limit/i.test(text)) return RETRY
  if (OPERATOR.test(text)) return RETRY
  const edgeMs = timeAfter('oldest acceptable timestamp is', text)
  if (/timestamp too old/i.test(text) && !Number.isNaN(edgeMs))
    return { kind: 'outside', reason: 'too_old', edgeMs }
  if (/too far behind/i.test(text) && !Number.isNaN(edgeMs)) return { kind: 'behind', edgeMs }
  const newest = timeAfter('timestamp too new', text)
  // The text cuts the time down to the second.
  if (!Number.isNaN(newest)) return { kind: 'outside', reason: 'too_new', edgeMs: newest + 1000 }
  return { kind: 'poison', reason: REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? 'refused' }
}

/** The RFC 3339 time after these words, ms; NaN where there is none. */
function timeAfter(words: string, text: string): number {
  const found = new RegExp(`${words}: (\\d{4}-\\d\\d-\\d\\dT[\\d:.]+(?:Z|[+-]\\d\\d:\\d\\d))`).exec(text)?.[1]
  return Date.parse(found ?? '')
}

export function reasonOf(text: string): string {
  return REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? 'refused'
}
