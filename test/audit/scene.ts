// Frames in both stand-ins, stored by the writers' own encoders, and an audit over them; what is taken away is the test's doing.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import pino from 'pino'
import { openAuditLog, readAuditLog } from '../../actors/auditor/audit-log.js'
import { createEngine, type Engine } from '../../actors/auditor/engine.js'
import { openSender, type Sender } from '../../actors/writers/sender.js'
import type { AuditTask } from '../../protocol/audit.js'
import { audit as auditSchema } from '../../protocol/config/audit.js'
import { type BackendOptions, elasticsearchBackend, lokiBackend } from '../../protocol/config/backends.js'
import { systemClock } from '../../runtime/clock.js'
import type { Metrics } from '../../runtime/metrics.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { type LokiStandInOptions, startLokiStandIn } from '../stand-ins/loki.js'
import type { TestFrame } from '../writers/frames.js'

export interface AuditScene {
  readonly es: Awaited<ReturnType<typeof startElasticsearchStandIn>>
  readonly loki: Awaited<ReturnType<typeof startLokiStandIn>>
  readonly engine: Engine
  readonly dataDir: string
  readonly metrics: ReadonlyMap<string, number>
  /** Stores a frame in both backends, or in some; returns its task. */
  store(frame: TestFrame, ...to: readonly ('es' | 'loki')[]): Promise<AuditTask>
  /** Deletes documents by hand. */
  remove(ids: readonly string[]): Promise<void>
  /** The journal lets go of it. */
  forget(frame: TestFrame): void
  events(): ReturnType<typeof readAuditLog>
}

export interface AuditSceneOptions {
  readonly loki?: LokiStandInOptions
  readonly archive?: BackendOptions
  readonly repairs?: boolean
  readonly compare?: number
}

const QUICK = { batch_age_max: '10ms', timeout: '2s', retry: { initial: '1ms', max: '10ms' } }

export async function auditScene(t: TestContext, options: AuditSceneOptions = {}): Promise<AuditScene> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-audit-'))
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records', ...options.loki })
  const backends = {
    es: elasticsearchBackend.parse({ type: 'elasticsearch', url: es.url, index: 'logs-%Y-%m-%d', ...QUICK }),
    loki: lokiBackend.parse({ type: 'loki', url: loki.url, ...QUICK }),
    ...(options.archive === undefined ? {} : { vault: options.archive }),
  }
  const encoded = new Map<string, Uint8Array>()
  const metrics = new Map<string, number>()
  const counting: Metrics = {
    add(name, by, labels = {}) {
      const key = `${name}{${Object.values(labels).join()}}`
      metrics.set(key, (metrics.get(key) ?? 0) + by)
    },
    set: () => undefined,
    observe: () => undefined,
    snapshot: async () => [],
  }
  const log = pino({ level: 'silent' })
  const shared = { clock: systemClock, random: () => 0.5, log, metrics: counting }
  const auditLog = openAuditLog(join(dataDir, 'audit'), Date.now, (error) => {
    throw error
  })
  const engine = createEngine({
    ...shared,
    audit: auditSchema.parse({ queries_per_second: 100, compare: options.compare ?? 2 }),
    backends,
    node: { id: 'n1', clusterId: 'test', dataDir },
    encoded: async ({ id }) => encoded.get(id),
    repairs: options.repairs ?? true,
    auditLog,
  })
  const senders = new Map<string, Sender>()
  async function sender(name: 'es' | 'loki'): Promise<Sender> {
    const known = senders.get(name)
    if (known !== undefined) return known
    const made = await openSender({ ...shared, name, options: backends[name], nodeId: 'n1' })
    senders.set(name, made)
    return made
  }
  t.after(async () => {
    await engine.close()
    await auditLog.close()
    for (const each of senders.values()) await each.close()
    await es.close()
    await loki.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  let seq = 0
  return {
    es,
    loki,
    engine,
    dataDir,
    metrics,
    async store(frame, ...to) {
      encoded.set(frame.id, frame.encoded)
      for (const name of to.length === 0 ? (['es', 'loki'] as const) : to)
        await (await sender(name)).send(frame.encoded, undefined, 5000)
      const { count, minTsMs: fromMs, maxTsMs: toMs } = frame.header
      const nowMs = Date.now()
      const fresh = { stage: 'first', postponed: 0, repairs: 0, dueMs: nowMs, ackedMs: nowMs } as const
      return { seq: seq++, id: frame.id, count, fromMs, toMs, node: 'n1', ...fresh }
    },
    async remove(ids) {
      const names = [...es.documents().keys()]
      const day = new Date().toISOString().slice(0, 10)
      const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
      for (const date of [day, yesterday]) {
        const body = ids
          .filter((id) => names.includes(id))
          .map((_id) => `{"delete":{"_index":"logs-${date}","_id":"${_id}"}}\n`)
          .join('')
        await fetch(`${es.url}/_bulk`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson' },
          body,
        })
      }
    },
    forget: (frame) => void encoded.delete(frame.id),
    async events() {
      await auditLog.close()
      return readAuditLog(join(dataDir, 'audit'), 1000)
    },
  }
}
