// Boosts by the names that they ask for, so that a stream is compared with few of them.
import { type Boost, type BoostMatch, boostMatches } from '../../protocol/traffic.js'

/** The names of a stream. */
export interface BoostedNames {
  readonly namespace: string
  readonly service: string
  readonly pod?: string
  readonly pod_uid?: string
}

export interface BoostIndex {
  matches(of: BoostedNames): boolean
  /** Some boost asks for a pod of this name or uid, whatever else it asks for. */
  namesPod(pod: string | undefined, uid: string | undefined): boolean
}

const KEYS = ['pod_uid', 'pod', 'service', 'namespace'] as const

export function createBoostIndex(boosts: readonly Boost[]): BoostIndex {
  /** Each match by the name that fewest streams have. */
  const indexes = KEYS.map((key) => ({ key, matches: new Map<string, BoostMatch[]>() }))
  for (const { match } of boosts) {
    const index = indexes.find(({ key }) => match[key] !== undefined)
    const name = index === undefined ? undefined : match[index.key]
    if (index === undefined || name === undefined) continue
    const alike = index.matches.get(name)
    if (alike === undefined) index.matches.set(name, [match])
    else alike.push(match)
  }
  const used = indexes.filter(({ matches }) => matches.size > 0)
  const has = (key: (typeof KEYS)[number], name: string | undefined): boolean =>
    name !== undefined && used.some((index) => index.key === key && index.matches.has(name))
  return {
    matches: (of) =>
      used.some(({ key, matches }) => {
        const name = of[key]
        return name !== undefined && matches.get(name)?.some((match) => boostMatches(match, of)) === true
      }),
    namesPod: (pod, uid) => used.length > 0 && (has('pod', pod) || has('pod_uid', uid)),
  }
}
