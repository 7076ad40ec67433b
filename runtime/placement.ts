// Which actors share a thread: the default by number of cores, or the configured groups with their patterns resolved.
import type { Config } from '../protocol/config/schema.js'
import { MillraceError } from '../protocol/errors.js'

export interface GroupPlan {
  readonly group: string
  readonly actors: readonly string[]
}

/** The actors that share the scanner's memory and therefore a thread. */
const SCANNER_ACTORS = ['parse', 'enrich', 'sample']
/** Actors that a placement need not name: they join the group of another. */
function joins(actor: string): string | undefined {
  if (actor === 'traffic' || actor === 'publisher') return 'journal'
  // It hands frames to its writer: between threads each would be copied once more.
  return actor.startsWith('buffer.') ? `writer.${actor.slice('buffer.'.length)}` : undefined
}

/** Actors beside the flow of records: unless they are placed otherwise, they share a thread of their own. */
export const CONTROL_ACTORS: readonly string[] = ['auditor', 'letters', 'control', 'capture']
const CONTROL_GROUP = 'control'
/** Not every configuration has these, nor every way of running. */
const OPTIONAL = new Set([...CONTROL_ACTORS, ...SCANNER_ACTORS, 'traffic', 'publisher'])

/** The actors on the way of the records, by what the node is. */
export function flowActors({
  node,
  buffer,
  sources,
  backends,
}: Pick<Config, 'node' | 'buffer' | 'sources' | 'backends'>): string[] {
  const isBuffered = buffer.mode === 'jetstream'
  const reads = !isBuffered || node.role !== 'writer'
  const writers = isBuffered && node.role === 'agent' ? [] : Object.keys(backends)
  return [
    ...(reads ? Object.keys(sources).map((name) => `source.${name}`) : []),
    ...(reads ? SCANNER_ACTORS : []),
    'journal',
    ...(reads ? ['traffic'] : []),
    // On a writer too: what its journal holds from a time when it had another role goes out.
    ...(isBuffered ? ['publisher'] : []),
    ...writers.map((name) => `writer.${name}`),
    ...(isBuffered ? writers.map((name) => `buffer.${name}`) : []),
  ]
}

/** Resolves `placement` (or the default for `cores`) over the actors' names. Throws `config.placement`. */
export function placeActors(
  actors: readonly string[],
  placement: Readonly<Record<string, readonly string[]>> | undefined,
  cores: number,
): GroupPlan[] {
  const wanted = withControl(placement ?? defaultPlacement(actors, cores), actors)
  const placed = new Map<string, string>()
  const plans = Object.entries(wanted).map(([group, patterns]) => {
    const members = patterns.flatMap((pattern) => matching(actors, pattern, group))
    for (const actor of members) {
      const other = placed.get(actor)
      if (other !== undefined) fail(`actor ${actor} is in the groups ${other} and ${group}; name it in one`)
      placed.set(actor, group)
    }
    return { group, actors: members }
  })
  for (const actor of actors) {
    const group = placed.get(joins(actor) ?? '')
    if (group === undefined || placed.has(actor)) continue
    placed.set(actor, group)
    plans.find((plan) => plan.group === group)?.actors.push(actor)
  }
  const missing = actors.filter((actor) => !placed.has(actor))
  if (missing.length > 0)
    fail(`no group holds ${missing.join(', ')}; add it to a group, patterns such as writer.* help`)
  if (new Set(SCANNER_ACTORS.map((actor) => placed.get(actor))).size > 1) {
    fail("parse, enrich and sample share the scanner's memory; put them into one group")
  }
  if (placed.has('sample') && placed.get('journal') === placed.get('sample')) {
    fail(
      'the journal needs a thread of its own beside sample, which may wait for it; put it into another group',
    )
  }
  return plans.filter((plan) => plan.actors.length > 0)
}

function defaultPlacement(actors: readonly string[], cores: number): Record<string, string[]> {
  const ingest = actors.includes('sample') ? { ingest: ['source.*', ...SCANNER_ACTORS] } : {}
  // Every hand-over between threads wakes one up: with few cores that costs more than it spreads.
  if (cores < 4) return { ...ingest, delivery: ['writer.*', 'journal'] }
  const writers = actors.filter((actor) => actor.startsWith('writer.'))
  return {
    ...ingest,
    journal: ['journal'],
    ...Object.fromEntries(writers.map((actor) => [actor, [actor]])),
  }
}

function withControl(
  placement: Readonly<Record<string, readonly string[]>>,
  actors: readonly string[],
): Record<string, readonly string[]> {
  const named = Object.values(placement).flat()
  const left = CONTROL_ACTORS.filter((actor) => actors.includes(actor) && !named.includes(actor))
  if (left.length === 0) return { ...placement }
  return { ...placement, [CONTROL_GROUP]: [...(placement[CONTROL_GROUP] ?? []), ...left] }
}

function matching(actors: readonly string[], pattern: string, group: string): string[] {
  if (pattern.endsWith('.*')) return actors.filter((actor) => actor.startsWith(pattern.slice(0, -1)))
  if (!actors.includes(pattern)) {
    if (OPTIONAL.has(pattern)) return []
    fail(
      `group ${group} names ${pattern}, which is no actor of this configuration; known are ${actors.join(', ')}`,
    )
  }
  return [pattern]
}

function fail(problem: string): never {
  throw new MillraceError('config.placement', `runtime.placement: ${problem}`)
}

/** Groups that must restart together with a crashed one: what they hold in memory only makes sense together. */
export function linkedGroups(crashed: GroupPlan, plans: readonly GroupPlan[]): GroupPlan[] {
  // The journal's death ends every conversation about frames; a death in the ingest chain ends the chain's.
  if (crashed.actors.includes('journal')) return [...plans]
  const chain = (actor: string) => actor.startsWith('source.') || SCANNER_ACTORS.includes(actor)
  if (!crashed.actors.some(chain)) return [crashed]
  return plans.filter((plan) => plan === crashed || plan.actors.some(chain))
}
