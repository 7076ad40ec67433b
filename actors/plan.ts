// From a configuration to the actors of a node and the threads that they share.
import { cpus } from 'node:os'
import { JETSTREAM_CURSOR } from '../protocol/buffer.js'
import type { Config } from '../protocol/config/schema.js'
import { bufferBackends } from '../runtime/config/buffer-checks.js'
import type { ActorPlan } from '../runtime/group-host.js'
import { flowActors, type GroupPlan, placeActors } from '../runtime/placement.js'
import type { BufferedAudit } from './auditor/shared.js'
import { followers, planBuffer } from './buffer/plan.js'
import { planCapture } from './capture/plan.js'
import { CANONICAL_FIELDS_BYTES } from './parse/cut.js'

export interface NodePlan {
  readonly actors: readonly ActorPlan[]
  readonly groups: readonly GroupPlan[]
}

/** Every thread numbers its origins in a range of its own. */
const ORIGINS_PER_GROUP = 2 ** 26
/** Loki's default `max_line_size`. */
const LOKI_LINE_BYTES = 262_144

/** `once`: input that ends, so there is no container to watch over. Throws `config.placement` when runtime.placement cannot be resolved. */
export function planNode(config: Config, once: boolean, cores: number = cpus().length): NodePlan {
  const { records } = config
  const sources = Object.entries(config.sources)
  const backends = Object.entries(config.backends)
  const sourceActors = sources.map(([name]) => `source.${name}`)
  const captures = planCapture(config, once)
  const names = [
    ...flowActors(config),
    ...(captures === undefined ? [] : ['capture']),
    ...(config.nats === undefined ? [] : ['control']),
  ]
  // A run that ends leaves its letters in the folder, where its exit code counts them.
  if (config.nats !== undefined && !once) names.push('letters')
  const audited = auditedBackends(config)
  // A run that ends is over before its frames are due: the journal keeps them for the next one, or for `millrace audit run`.
  const isBuffered = config.buffer.mode === 'jetstream'
  const audits = audited.length > 0 && !once
  if (audits) names.push('auditor')
  const groups = placeActors(names, config.runtime.placement, cores)
  const groupOf = (actor: string) => groups.findIndex((group) => group.actors.includes(actor))
  const isBeside =
    (writer: string) =>
    ([name]: readonly [string, unknown]) =>
      groupOf(`writer.${name}`) === groupOf(`writer.${writer}`)
  const actors: ActorPlan[] = [
    ...sources.map(([name, options]) => ({
      name: `source.${name}`,
      kind: 'source',
      options: {
        name,
        options,
        records,
        besideParse: groupOf(`source.${name}`) === groupOf('parse'),
        reportsPods: captures !== undefined && captures.podsFrom === `source.${name}`,
        originsFrom: 1 + groupOf(`source.${name}`) * ORIGINS_PER_GROUP,
      },
    })),
    {
      name: 'parse',
      kind: 'parse',
      options: {
        records,
        sources: sources.length,
        canonicalBytesMax: canonicalBytesMax(config),
        ...(captures?.watchesPanics === true ? { panicAgeMaxMs: config.capture.age_max } : {}),
      },
    },
    { name: 'enrich', kind: 'enrich', options: { records } },
    { name: 'sample', kind: 'sample', options: { records, sources: sourceActors } },
    { name: 'traffic', kind: 'traffic', options: { control: names.includes('control') } },
    ...backends.map(([name, options]) => ({
      name: `writer.${name}`,
      kind: 'writer',
      options: {
        name,
        options,
        beside: backends.filter(isBeside(name)).map(([, each]) => each),
        frameAgeMs: config.records.batch_age_max,
        ...(names.includes(`buffer.${name}`) ? { from: `buffer.${name}` } : {}),
      },
    })),
    ...planBuffer(config),
    // After the writers: actors of a thread stop in this order, and the journal takes the writers' last acknowledgements.
    {
      name: 'journal',
      kind: 'journal',
      options: {
        journal: config.journal,
        writers: followers(config),
        ...(audited.length === 0
          ? {}
          : {
              audit: {
                backends: audited,
                holdBytesMax: config.audit.hold_bytes,
                mends: audits && config.audit.repair && !isBuffered,
              },
            }),
      },
    },
    ...(captures === undefined
      ? []
      : [{ name: 'capture', kind: 'capture', options: { ...captures, boosts: names.includes('traffic') } }]),
    ...(config.nats === undefined
      ? []
      : [
          { name: 'letters', kind: 'letters', options: { nats: config.nats } },
          {
            name: 'control',
            kind: 'control',
            options: { nats: config.nats, hasTraffic: names.includes('traffic') },
          },
        ]),
  ]
  if (audits) {
    const shared = config.nats === undefined ? {} : { nats: config.nats }
    const buffered = isBuffered ? { buffered: bufferedAudit(config) } : {}
    const options = { audit: config.audit, backends: config.backends, ...shared, ...buffered }
    actors.push({ name: 'auditor', kind: 'auditor', options })
  }
  return { actors: actors.filter(({ name }) => names.includes(name)), groups }
}

/** The longest canonical record that every backend takes. */
export function canonicalBytesMax(config: Config): number {
  const limits = Object.values(config.backends).flatMap((backend) =>
    backend.type === 'loki' ? [backend.line_bytes_max] : [],
  )
  // An agent does not know the limit of the writers' Loki: it is taken for the usual one.
  if (bufferBackends(config).length > Object.keys(config.backends).length) limits.push(LOKI_LINE_BYTES)
  return Math.min(config.records.line_bytes_max + CANONICAL_FIELDS_BYTES, ...limits)
}

/** All backends that frames in JetStream go to, and whether this node can ask each of them. */
export function bufferedAudit(config: Pick<Config, 'backends' | 'buffer'>): BufferedAudit {
  const backends = bufferBackends(config)
  const known = Object.entries(config.backends)
  return {
    backends,
    checks:
      backends.every((name) => config.backends[name] !== undefined) &&
      known.some(([, { type }]) => type !== 'archive'),
  }
}

/**
 * Who has to have a frame before it is a task: the backends that can be asked what they hold, where this node's journal feeds them.
 * JetStream, where frames go through that: then the task waits until the frame has left it.
 */
export function auditedBackends(config: Pick<Config, 'audit' | 'backends' | 'buffer'>): string[] {
  if (!config.audit.enabled) return []
  if (config.buffer.mode === 'jetstream') return [JETSTREAM_CURSOR]
  return Object.entries(config.backends).flatMap(([name, { type }]) => (type === 'archive' ? [] : [name]))
}
