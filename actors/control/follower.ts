// Decides which of the cluster's settings count on this node: its own before a canary's, a canary's before everyone's.
import {
  nodeShare,
  parseSettings,
  type SettingsOrigin,
  type SettingsValue,
} from '../../protocol/control/settings.js'
import { CANARY_KEY, nodeKey, SAMPLING_KEY } from '../../protocol/subjects.js'

/** A key's newest value; no text: it was deleted. */
export interface SettingsEntry {
  readonly key: string
  readonly revision: number
  readonly text?: string
  readonly deletedBy?: string
}

/** What the node should run with. */
export interface Wanted extends SettingsOrigin {
  /** JSON of the section. */
  readonly sampling?: string
}

interface Refused {
  readonly key: string
  readonly revision: number
  readonly why: string
}

export interface Follower {
  /** A key has a new value (or lost it). */
  take(entry: SettingsEntry): void
  /** What counts now, at this moment. */
  wanted(nowMs: number): Wanted
  /** A value that can not even be read, or is for others, for the report; it counts as if it were not there. */
  refused(): Refused | undefined
}

export const followedKeys = (node: string) => [SAMPLING_KEY, CANARY_KEY, nodeKey(node)]

export function createFollower(node: string, cluster: string): Follower {
  const values = new Map<string, { readonly revision: number; readonly value: SettingsValue }>()
  let refused: Refused | undefined
  let deleted: SettingsOrigin['deleted']

  function origin(key: string, revision: number, by?: string): SettingsOrigin {
    const since = deleted === undefined || deleted.revision <= revision ? {} : { deleted }
    return { key, revision, ...(by === undefined ? {} : { by }), ...since }
  }

  function foreign(of = ''): string {
    return `it is for the nodes of cluster ${of}, and this one is of ${cluster}; each cluster needs a NATS account of its own`
  }

  function canary(nowMs: number): { readonly revision: number; readonly value: SettingsValue } | undefined {
    const entry = values.get(CANARY_KEY)
    if (entry === undefined) return undefined
    const { below = 0, untilMs = 0 } = entry.value
    // The salt is the time of writing: its author had to know it before the revision was given.
    return nowMs < untilMs && nodeShare(node, entry.value.at ?? '') < below ? entry : undefined
  }

  return {
    take({ key, revision, text, deletedBy }) {
      if (refused?.key === key) refused = undefined
      if (text === undefined) {
        if (revision > (deleted?.revision ?? 0))
          deleted = { key, revision, ...(deletedBy === undefined ? {} : { by: deletedBy }) }
        return void values.delete(key)
      }
      const value = parseSettings(text)
      // What was there before goes on.
      if (value === undefined) refused = { key, revision, why: 'it is no JSON object' }
      else if ((value.cluster ?? cluster) !== cluster)
        refused = { key, revision, why: foreign(value.cluster) }
      else values.set(key, { revision, value })
    },
    wanted(nowMs) {
      const layers = [
        [nodeKey(node), values.get(nodeKey(node))],
        [CANARY_KEY, canary(nowMs)],
        [SAMPLING_KEY, values.get(SAMPLING_KEY)],
      ] as const
      for (const [key, entry] of layers)
        if (entry !== undefined)
          return {
            ...origin(key, entry.revision, entry.value.by),
            sampling: JSON.stringify(entry.value.section),
          }
      return origin('', 0)
    },
    refused: () => refused,
  }
}
