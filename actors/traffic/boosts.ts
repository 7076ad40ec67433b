// What is kept in full for a time, whatever its rate: a bounded list of matches with their ends.
import type { Boost, BoostMatch, BoostOutcome } from '../../protocol/traffic.js'

export interface Boosts {
  /** Adds one, or moves the end of an equal one further away. */
  lengthen(boost: Boost, nowMs: number): BoostOutcome
  /** Adds one, or gives an equal one this end; an end of 0 ends it. */
  set(boost: Boost, nowMs: number): BoostOutcome
  /** Lets those go that have ended; true when any has. */
  expire(nowMs: number): boolean
  list(): readonly Boost[]
}

/** Each stream of the node is compared with each of them when they change. */
export const BOOSTS_MAX = 256
/** Names of Kubernetes objects have at most 253 characters (RFC 1123). */
const NAME_LENGTH_MAX = 253
const KEYS = ['namespace', 'pod', 'pod_uid', 'service'] as const

export function createBoosts(): Boosts {
  const boosts = new Map<string, Boost>()

  function expire(nowMs: number): boolean {
    const before = boosts.size
    for (const [key, { untilMs }] of boosts) if (untilMs <= nowMs) boosts.delete(key)
    return boosts.size < before
  }

  function put({ match, untilMs }: Boost, nowMs: number, sets: boolean): BoostOutcome {
    const clean = cleanMatch(match)
    if (clean === undefined) return { refused: 'it matches nothing, or by something that is no name' }
    const key = JSON.stringify(clean)
    expire(nowMs)
    if (sets && untilMs === 0) return { ended: boosts.delete(key) }
    if (!Number.isFinite(untilMs) || untilMs <= nowMs) return { refused: 'its end is past' }
    if (!boosts.has(key) && boosts.size >= BOOSTS_MAX)
      return { refused: `${BOOSTS_MAX} are in force already; wait for one to end, or end one with --for 0s` }
    const endMs = sets ? untilMs : Math.max(untilMs, boosts.get(key)?.untilMs ?? 0)
    boosts.set(key, { match: clean, untilMs: endMs })
    return { untilMs: endMs }
  }

  return {
    lengthen: (boost, nowMs) => put(boost, nowMs, false),
    set: (boost, nowMs) => put(boost, nowMs, true),
    expire,
    list: () => [...boosts.values()],
  }
}

/** The known keys in one order; undefined when there is none, or one is no name: an empty match would keep everything. */
function cleanMatch(match: BoostMatch): BoostMatch | undefined {
  const pairs = KEYS.flatMap((key) => (match[key] === undefined ? [] : [[key, match[key]] as const]))
  const good = ([, name]: readonly [string, unknown]) =>
    typeof name === 'string' && name !== '' && name.length <= NAME_LENGTH_MAX
  return pairs.length > 0 && pairs.every(good) ? Object.fromEntries(pairs) : undefined
}
