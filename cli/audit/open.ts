// Opens an audit by hand: the frames that the data folder knows, and the engine that checks and repairs them.
import { join } from 'node:path'
import { openAuditLog } from '../../actors/auditor/audit-log.js'
import { createEngine, type Engine, lettersAway } from '../../actors/auditor/engine.js'
import { type KnownFrames, knownFrames } from '../../actors/auditor/known-frames.js'
import { JETSTREAM_CURSOR } from '../../protocol/buffer.js'
import type { ArchiveOptions } from '../../protocol/config/backends.js'
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import { systemClock } from '../../runtime/clock.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics, type Metrics } from '../../runtime/metrics.js'
import { openSharedLetters, type SharedLetters } from '../shared-letters.js'
import { demandArrived } from './arrived.js'

export interface AuditRunOptions {
  readonly sinceMs: number
  readonly repairs: boolean
  readonly withArchive: boolean
  readonly queriesPerSecond: number
  readonly signal: AbortSignal
}

export interface OpenAudit {
  readonly engine: Engine
  readonly known: KnownFrames
  readonly figures: Figures
  close(): Promise<void>
}

export interface Figures {
  compared: number
  readonly repairs: Record<string, Record<string, number>>
}

/** Throws `usage.backends`, `audit.on_their_way` and what reading the journal throws. */
export async function openAudit(config: Config, options: AuditRunOptions): Promise<OpenAudit> {
  const { node } = config
  const clock = systemClock
  const audited = Object.entries(config.backends).flatMap(([name, { type }]) =>
    type === 'archive' ? [] : [name],
  )
  if (audited.length === 0) {
    throw new MillraceError(
      'usage.backends',
      'there is nothing to audit: no backend of type elasticsearch or loki is configured',
    )
  }
  const known = await framesOf(config, options, audited)
  const log = createLogger('error')
  const auditLog = openAuditLog(join(node.data_dir, 'audit'), clock.now, (error) =>
    log.error({ err: error }, 'the log of the audit cannot be written'),
  )
  const figures: Figures = { compared: 0, repairs: {} }
  let shared: SharedLetters | undefined
  const sharedLetters = async () => {
    shared ??= await openSharedLetters(config).catch((cause: unknown) => {
      throw lettersAway(saidOf(cause), cause)
    })
    return shared?.letters
  }
  const engine = createEngine({
    sharedLetters,
    audit: { ...config.audit, queries_per_second: options.queriesPerSecond },
    backends: config.backends,
    node: { id: node.id, clusterId: node.cluster_id, dataDir: node.data_dir },
    encoded: (task) => known.encoded(task),
    repairs: options.repairs,
    lettersIn: '@audit-run',
    clock,
    random: Math.random,
    log,
    auditLog,
    metrics: counting(figures),
  })
  return {
    engine,
    known,
    figures,
    async close() {
      await engine.close()
      await shared?.close()
      await auditLog.close()
    },
  }
}

async function framesOf(
  { node, backends, buffer, ...rest }: Config,
  options: AuditRunOptions,
  audited: readonly string[],
): Promise<KnownFrames> {
  const archives = Object.values(backends).filter(({ type }) => type === 'archive') as ArchiveOptions[]
  const isBuffered = buffer.mode === 'jetstream'
  if (isBuffered) await demandArrived({ node, nats: rest.nats }, options.signal)
  return knownFrames({
    dataDir: node.data_dir,
    node: node.id,
    sinceMs: options.sinceMs,
    backends: isBuffered ? [JETSTREAM_CURSOR] : audited,
    archives: options.withArchive ? archives.map(({ path }) => path) : [],
    nowMs: systemClock.now(),
  })
}

function counting(figures: Figures): Metrics {
  const metrics = createMetrics()
  return {
    ...metrics,
    add(name, by, labels) {
      metrics.add(name, by, labels)
      if (name === 'audit_compared_total') figures.compared += by
      if (name !== 'audit_repaired_total') return
      const of = (figures.repairs[labels?.['backend'] ?? ''] ??= {})
      const from = labels?.['from'] ?? ''
      of[from] = (of[from] ?? 0) + by
    },
  }
}
