// The cluster's settings as they lie in the bucket: a section with who wrote it and when, and for which share of the nodes.

/** A value of the keys `sampling`, `canary.sampling` and `nodes.<id>`. A bare section (put by hand) is taken too. */
export interface SettingsValue {
  /** The sampling section, as in the file. */
  readonly section: Readonly<Record<string, unknown>>
  readonly by?: string
  /** Whose nodes it is for; by hand it may be left out. */
  readonly cluster?: string
  /** ISO 8601. */
  readonly at?: string
  /** Only of a canary: the nodes whose share is below it take the section. */
  readonly below?: number
  /** Only of a canary: from then on nobody takes it any more, ms since the epoch. It ends although its operator is gone. */
  readonly untilMs?: number
}

/** Whose settings count on a node, for its log. */
export interface SettingsOrigin {
  readonly key: string
  /** 0: nothing of the cluster's, the file counts. */
  readonly revision: number
  readonly by?: string
  /** The newest deletion of a value that might count here, when it is newer than the revision. */
  readonly deleted?: { readonly key: string; readonly revision: number; readonly by?: string }
}

const BY_CHARS_MAX = 128

/** Undefined when it is not JSON, or no object; what the section holds is checked by the node. */
export function parseSettings(text: string): SettingsValue | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(value)) return undefined
  const { section, by, cluster, at, below, untilMs } = value
  // No section has a key `section`.
  if (section === undefined) return { section: value }
  if (!isObject(section)) return undefined
  return {
    section,
    ...(typeof by === 'string' ? { by: by.slice(0, BY_CHARS_MAX) } : {}),
    ...(typeof cluster === 'string' ? { cluster } : {}),
    ...(typeof at === 'string' ? { at } : {}),
    ...(typeof below === 'number' ? { below } : {}),
    ...(typeof untilMs === 'number' ? { untilMs } : {}),
  }
}

/**
 * A node's place in [0, 1), the same at every roll-out's time but another one for each roll-out's salt, so that not always the same
 * nodes are the first. FNV-1a (draft-eastlake-fnv) with the finalizer of MurmurHash3, since FNV's high bits hardly move for short names.
 */
export function nodeShare(node: string, salt: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(`${salt}\0${node}`)) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

/** Below which share a canary must lie to hold `percent` of these nodes, at least one of them. */
export function canaryBelow(nodes: readonly string[], salt: string, percent: number): number {
  const shares = nodes.map((node) => nodeShare(node, salt)).toSorted((a, b) => a - b)
  const wanted = Math.max(1, Math.round((shares.length * percent) / 100))
  const next = shares[wanted]
  const last = shares[wanted - 1] ?? 0
  return next === undefined ? 1 : (last + next) / 2
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
