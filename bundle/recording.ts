// Runs a bundled node over a few records, once for each part: what V8 compiles there is what every start compiles.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { elasticsearchProtocol } from '../benchmarks/sinks/elasticsearch.js'
import { startSink } from '../benchmarks/sinks/http.js'
import { lokiProtocol } from '../benchmarks/sinks/loki.js'

/** The groups of a node on few cores, which have all actors of a plain configuration between them. */
const GROUPS = { ingest: ['source.*', 'parse', 'enrich', 'sample'], delivery: ['writer.*', 'journal'] }
const RECORDS = 200

/** Writes the compiled code beside the bundles of `packed`. Rejects when a node does not run to its end. */
export async function record(packed: string): Promise<void> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'millrace-build-'))
  const [es, loki] = [await startSink(elasticsearchProtocol()), await startSink(lokiProtocol())]
  try {
    const pods = path.join(scratch, 'pods')
    const container = path.join(pods, 'shop_cart-1_00000000-0000-4000-8000-000000000000', 'cart')
    mkdirSync(container, { recursive: true })
    writeFileSync(path.join(container, '0.log'), logLines().join(''))
    for (const part of ['main', ...Object.keys(GROUPS)]) {
      const file = path.join(scratch, `${part}.yaml`)
      const config = {
        node: { id: 'build', cluster_id: 'build', data_dir: path.join(scratch, part) },
        http: { listen: '127.0.0.1:0' },
        runtime: { log_level: 'warn', placement: GROUPS },
        sources: { pods: { type: 'kubernetes', path: pods, api: 'off' } },
        backends: { es: { type: 'elasticsearch', url: es.url }, loki: { type: 'loki', url: loki.url } },
      }
      writeFileSync(file, JSON.stringify(config))
      const script = fileURLToPath(new URL('./record.js', import.meta.url))
      await promisify(execFile)(process.execPath, [script, packed, file, part], { timeout: 120_000 })
    }
  } finally {
    await Promise.all([es.close(), loki.close()])
    rmSync(scratch, { recursive: true, force: true })
  }
}

function logLines(): string[] {
  const levels = ['info', 'warn', 'error', 'debug']
  return Array.from({ length: RECORDS }, (_, at) => {
    const time = new Date(Date.UTC(2026, 0, 1) + at).toISOString()
    const record = {
      time,
      level: levels[at % levels.length],
      service: 'cart',
      msg: `order ${at}`,
      status: 200,
    }
    return `${time} stdout F ${JSON.stringify(record)}\n`
  })
}
