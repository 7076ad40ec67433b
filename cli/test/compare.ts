// What a test expects against what it got: one difference for each field that is not as it should be.
import { isDeepStrictEqual } from 'node:util'
import type { PlacedTest } from './file.js'
import type { Expectation } from './schema.js'
import type { RecordVerdict, TestOutcome } from './verdicts.js'

export interface Difference {
  /** 1-based; absent where it is about the test as a whole. */
  readonly record?: number
  /** `kept`, `why`, `rate`, `fields.message`, … */
  readonly field: string
  readonly expected: string
  readonly got: string
}

/** The kernel's rate is a 32-bit float, of which seven digits are shown: what looks the same is the same. */
const RATE_TOLERANCE = 1e-6

export function compareTest({ test, expectAll }: PlacedTest, outcome: TestOutcome): Difference[] {
  const { verdicts, unmet, services } = outcome
  const found: Difference[] = unmet.map((name) => ({
    field: `traffic.${name}`,
    expected: 'a service of this test',
    got: services.join(', ') || 'none',
  }))
  const wanted = expectAll ? verdicts.map(() => test.expect[0] as Expectation) : test.expect
  if (verdicts.length === 0 || wanted.length !== verdicts.length)
    found.push({
      field: 'records',
      expected: expectAll ? 'at least 1' : String(wanted.length),
      got: String(verdicts.length),
    })
  for (const [n, verdict] of verdicts.entries()) {
    const expectation = wanted[n]
    if (expectation !== undefined)
      found.push(...differences(expectation, verdict).map((each) => ({ record: n + 1, ...each })))
  }
  return found
}

function differences(expected: Expectation, got: RecordVerdict): Difference[] {
  return [...verdictDifferences(expected, got), ...recordDifferences(expected, got.record)]
}

function verdictDifferences({ kept, why, rate }: Expectation, got: RecordVerdict): Difference[] {
  const found: Difference[] = []
  const rateText = String(Number(got.rate.toPrecision(7)))
  if (kept !== undefined && got.byChance)
    found.push({
      field: 'kept',
      expected: String(kept),
      got: `kept by chance, at a rate of ${rateText}; expect \`rate\`, or give the line a trace_id`,
    })
  else if (kept !== undefined && kept !== got.kept)
    found.push({ field: 'kept', expected: String(kept), got: `${got.kept} (${got.why}, rate ${rateText})` })
  if (why !== undefined && why !== got.why) found.push({ field: 'why', expected: why, got: got.why })
  if (rate !== undefined && Math.abs(rate - got.rate) > RATE_TOLERANCE * Math.max(rate, got.rate))
    found.push({ field: 'rate', expected: String(rate), got: rateText })
  return found
}

function recordDifferences(
  { fields, record, without = [] }: Expectation,
  got: Readonly<Record<string, unknown>>,
): Difference[] {
  const found = fields === undefined ? [] : subset(fields, got, 'fields')
  if (record !== undefined) {
    found.push(...subset(record, got, 'record'))
    for (const key of Object.keys(got))
      if (!Object.hasOwn(record, key))
        found.push({ field: `record.${key}`, expected: 'absent', got: shown(got[key]) })
  }
  for (const key of without)
    if (Object.hasOwn(got, key))
      found.push({ field: `without.${key}`, expected: 'absent', got: shown(got[key]) })
  return found
}

/** Maps are looked into; `exact` ones are compared by `record`'s own check of more keys at the top only. */
function subset(
  expected: Readonly<Record<string, unknown>>,
  got: Readonly<Record<string, unknown>>,
  path: string,
): Difference[] {
  return Object.entries(expected).flatMap(([key, value]): Difference[] => {
    const at = `${path}.${key}`
    if (!Object.hasOwn(got, key)) return [{ field: at, expected: shown(value), got: 'absent' }]
    const found = got[key]
    if (path !== 'record' && isMap(value) && isMap(found)) return subset(value, found, at)
    if (isDeepStrictEqual(value, found)) return []
    return [{ field: at, expected: shown(value), got: shown(found) }]
  })
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? 'undefined'
}
