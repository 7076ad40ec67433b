// Which rule decides about which status codes of a stream, by priority, and the rate or table that comes of it.
import { LEVELS } from '../levels.js'
import type { StreamFacts } from './rule-evaluate.js'
import type { PreparedRule, Truths } from './rule-prepare.js'
import { STATUS_CODES } from './rule-values.js'
import { hasStatus, inBoth, inEither, notIn, STATUS_ABSENT, type StatusSet } from './status-set.js'

/** What deciding needs of a rule. */
export interface RankedRule {
  readonly name: string
  readonly keep: number
  readonly prepared: PreparedRule
}

export interface BaseInput extends StreamFacts {
  /** The stream's rate without rules. */
  readonly baseRate: number
}

/** Shared between calls that come to the same: do not change. Nothing set: the rules leave the stream alone. */
export interface Decision {
  /** The stream's rate; undefined: baseRate. */
  readonly rate?: number
  /** Name of the rule that set `rate`. */
  readonly rule?: string
  /** Rate by status code, NaN: the stream's rate. Equal tables are the same object. */
  readonly status?: Float32Array
}

interface Claim {
  readonly rule: RankedRule
  /** The statuses for which no rule before this one holds, and this one does. */
  readonly set: StatusSet
}

const NOTHING: Decision = {}
/** Entries of each cache; when one is full, it begins anew. */
const CACHED_MAX = 4096

/** Rules of an ERROR or FATAL stream raise its rate only, unless their condition speaks of levels: an incident's rule is not meant to hide it. */
function raisesOnly({ prepared }: RankedRule, { level }: Pick<BaseInput, 'level'>): boolean {
  return (LEVELS[level] === 'ERROR' || LEVELS[level] === 'FATAL') && !prepared.namesLevel
}

export function rateOfRule(rule: RankedRule, input: Pick<BaseInput, 'level' | 'baseRate'>): number {
  return raisesOnly(rule, input) ? Math.max(rule.keep, input.baseRate) : rule.keep
}

/**
 * `effective` gives the truths of a rule's window comparisons that count now; the rules are in order of priority. The function for a stream
 * (its `baseRate` aside) may be kept as long as these truths stay.
 */
export function createDecider<Input extends Omit<BaseInput, 'baseRate'>, Rule extends RankedRule>(
  rules: readonly Rule[],
  effective: (rule: Rule, input: Input) => readonly Truths[],
): (input: Input) => (baseRate: number) => Decision {
  const claimsByKey = createCache<readonly Claim[]>()
  const decisions = createCache<Decision>()
  const tables = createCache<Float32Array>()
  return (input) => {
    const truths = rules.map((rule) => effective(rule, input))
    const streams = rules.map(({ prepared }) => prepared.streamTruths(input))
    const key = streams.map((stream, at) => `${stream}:${truths[at]?.join('+')}`).join(';')
    const claims = claimsByKey(key, () => claimsOf(rules, truths, streams))
    if (claims.length === 0) return () => NOTHING
    const fixed = !dependsOnBase(claims) && !claims.some(({ rule }) => raisesOnly(rule, input))
    const keeps = claims.map(({ rule }) => rule.keep)
    const absent = hasAbsent(claims)
    let last: { readonly baseRate: number; readonly decision: Decision } | undefined
    return (baseRate) => {
      const rates = fixed ? keeps : claims.map(({ rule }) => rateOfRule(rule, { ...input, baseRate }))
      // A rate that is the stream's already needs no table.
      if (!absent && rates.every((rate) => rate === baseRate)) return NOTHING
      if (last !== undefined && (fixed || last.baseRate === baseRate)) return last.decision
      const rest = `${rates.join()}|${dependsOnBase(claims) ? baseRate : ''}`
      const decision = decisions(`${key}|${rest}`, () => decisionOf(claims, rates, baseRate, tables))
      last = { baseRate, decision }
      return decision
    }
  }
}

function claimsOf(
  rules: readonly RankedRule[],
  truths: readonly (readonly Truths[])[],
  streams: readonly Truths[],
): Claim[] {
  const claims: Claim[] = []
  let free: StatusSet = true
  for (const [at, rule] of rules.entries()) {
    let holds: StatusSet = false
    for (const window of truths[at] ?? []) {
      holds = inEither(holds, rule.prepared.residue(window, streams[at] ?? 0))
    }
    const set = inBoth(free, holds)
    if (set === false) continue
    claims.push({ rule, set })
    free = inBoth(free, notIn(set))
    if (free === false) break
  }
  return claims
}

/** A rule for records without a status leaves those with one at the base rate, unless another rule has them all. */
function dependsOnBase(claims: readonly Claim[]): boolean {
  if (!hasAbsent(claims)) return false
  return claims.reduce<StatusSet>((all, { set }) => inEither(all, set), false) !== true
}

function hasAbsent(claims: readonly Claim[]): boolean {
  return claims.some(({ set }) => hasStatus(set, STATUS_ABSENT))
}

function decisionOf(
  claims: readonly Claim[],
  rates: readonly number[],
  baseRate: number,
  tables: Cache<Float32Array>,
): Decision {
  const absent = claims.findIndex(({ set }) => hasStatus(set, STATUS_ABSENT))
  const rate = rates[absent]
  const table = new Float32Array(STATUS_CODES).fill(rate === undefined ? Number.NaN : baseRate)
  for (const [at, { set }] of claims.entries()) {
    for (let status = 0; status < STATUS_CODES; status++) {
      if (hasStatus(set, status)) table[status] = rates[at] as number
    }
  }
  if (rate === undefined) return { status: tables(runsOf(table), () => table) }
  const own = Math.fround(rate)
  const named = { rate, rule: claims[absent]?.rule.name ?? '' }
  if (table.every((each) => each === own)) return named
  const others = table.map((each) => (each === own ? Number.NaN : each))
  return { ...named, status: tables(runsOf(others), () => others) }
}

/** The table as a short text: where each run of one rate begins. */
function runsOf(table: Float32Array): string {
  let text = ''
  let last: number | undefined
  for (let status = 0; status < table.length; status++) {
    const rate = table[status] as number
    if (last === undefined || !Object.is(rate, last)) text += `${status}:${rate} `
    last = rate
  }
  return text
}

type Cache<Value> = (key: string, make: () => Value) => Value

function createCache<Value>(): Cache<Value> {
  const entries = new Map<string, Value>()
  return (key, make) => {
    const found = entries.get(key)
    if (found !== undefined) return found
    if (entries.size >= CACHED_MAX) entries.clear()
    const value = make()
    entries.set(key, value)
    return value
  }
}
