// A node over one log file and an Elasticsearch stand-in, for what only threads can show of sampling.
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningNode, startNode } from '../../cli/node.js'
import { configSchema } from '../../protocol/config/schema.js'
import { createLogger } from '../../runtime/log.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'

export interface SamplingNode {
  readonly node: RunningNode
  /** Appends so many lines; they are numbered on. */
  write(count: number, line: (n: number) => object): void
  /** Numbers of the records that the backend has, with what else is in them. */
  stored(): { readonly n: number; readonly [field: string]: unknown }[]
  count(): number
  close(): Promise<void>
}

export async function startSamplingNode(sampling: object): Promise<SamplingNode> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sampling-'))
  const es = await startElasticsearchStandIn({ store: 'records' })
  const log = join(folder, 'a.log')
  appendFileSync(log, '')
  const node = await startNode({
    config: configSchema.parse({
      node: { id: 'n1', cluster_id: 'c1', data_dir: join(folder, 'data') },
      http: { listen: '127.0.0.1:0' },
      sources: {
        app: {
          type: 'file',
          include: [log],
          poll: '20ms',
          fields: { namespace: 'shop', service_name: 'cart' },
        },
      },
      sampling,
      records: { batch_age_max: '30ms' },
      backends: {
        es: {
          type: 'elasticsearch',
          url: es.url,
          batch_age_max: '50ms',
          retry: { initial: '20ms', max: '200ms' },
        },
      },
      runtime: { restarts_max: 50, restart_window: '1s', log_level: 'silent' },
    }),
    once: false,
    log: createLogger('silent'),
  })
  let next = 0
  return {
    node,
    write(count, line) {
      const lines = Array.from({ length: count }, () => `${JSON.stringify({ ...line(next), n: next++ })}\n`)
      appendFileSync(log, lines.join(''))
    },
    stored: () => [...es.documents().values()].map((bytes) => JSON.parse(bytes.toString()) as { n: number }),
    count: () => es.count(),
    async close() {
      await node.stop()
      await es.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
