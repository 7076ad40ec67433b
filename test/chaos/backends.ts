// The two backends of a run: stand-ins in this process, or the real servers with names of the run's own.
import { randomUUID } from 'node:crypto'
import { esDeleteIndices } from '../real/servers/es-query.js'
import { serverUrl } from '../real/servers/settings.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import type { Faults } from '../stand-ins/faults.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import type { BackendName } from './backend-faults.js'
import { heldByElasticsearch, heldByElasticsearchStandIn, heldByLoki, heldByLokiStandIn } from './held.js'
import type { Evidence } from './oracle.js'

export interface Backends {
  readonly url: Readonly<Record<BackendName, string>>
  /** Names index and streams of this run. */
  readonly clusterId: string
  /** Stand-ins only; undefined clears. */
  setFaults(backend: BackendName, faults: Faults | undefined): void
  held(): Promise<Evidence['held']>
  close(): Promise<void>
}

export function startBackends(kind: 'stand-ins' | 'real', startMs: number): Promise<Backends> {
  return kind === 'real' ? realBackends(startMs) : standIns()
}

async function standIns(): Promise<Backends> {
  const es = await startElasticsearchStandIn()
  const loki = await startLokiStandIn()
  return {
    url: { es: es.url, loki: loki.url },
    clusterId: 'chaos',
    setFaults: (backend, faults) => (backend === 'es' ? es : loki).setFaults(faults),
    held: () => Promise.resolve({ es: heldByElasticsearchStandIn(es), loki: heldByLokiStandIn(loki) }),
    async close() {
      await Promise.all([es.close(), loki.close()])
    },
  }
}

async function realBackends(startMs: number): Promise<Backends> {
  const url = { es: serverUrl('es'), loki: serverUrl('loki') }
  const clusterId = `chaos-${randomUUID().slice(0, 8)}`
  const index = `${clusterId}-*`
  return Promise.resolve({
    url,
    clusterId,
    setFaults: () => undefined,
    async held() {
      const span = { fromMs: startMs - 1000, toMs: Date.now() + 1000 }
      return {
        es: await heldByElasticsearch(url.es, index),
        loki: await heldByLoki(url.loki, `{cluster_id="${clusterId}"}`, span),
      }
    },
    close: () => esDeleteIndices(url.es, index),
  })
}
