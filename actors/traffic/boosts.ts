// What is kept in full for a time, whatever its rate: a bounded list of matches with their ends.
import type { Boost, BoostMatch } from '../../protocol/traffic.js'

export interface Boosts {
  /** Adds one, or moves the end of an equal one. False: the list is full, or nothing is to be matched, or the end is past. */
  add(boost: Boost, nowMs: number): boolean
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
  return {
    add({ match, untilMs }, nowMs) {
      const clean = cleanMatch(match)
      if (clean === undefined || !Number.isFinite(untilMs) || untilMs <= nowMs) return false
      const key = JSON.stringify(clean)
      if (!boosts.has(key) && boosts.size >= BOOSTS_MAX) return false
      boosts.set(key, { match: clean, untilMs: Math.max(untilMs, boosts.get(key)?.untilMs ?? 0) })
      return true
    },
    expire(nowMs) {
      const before = boosts.size
      for (const [key, { untilMs }] of boosts) if (untilMs <= nowMs) boosts.delete(key)
      return boosts.size < before
    },
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
