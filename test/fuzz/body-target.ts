// Bodies that are pushed over HTTP, to a real source on a real socket: each is answered, and what is confirmed has become that many lines.
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { httpSource } from '../../actors/sources/http.js'
import { httpSource as schema } from '../../protocol/config/sources.js'
import { type Bench, createBench } from '../sources/bench.js'
import type { Hostile } from './hostile.js'
import type { Target } from './targets.js'

const BODY_BYTES_MAX = 64 * 1024
const ANSWERS = [200, 400, 411, 413, 415, 429]
const TYPES = [
  'application/json',
  'application/x-ndjson',
  'application/x-ndjson; charset=utf-8',
  'text/plain',
  'x',
]

interface Answer {
  readonly status: number
  readonly text: string
}

export async function bodyTarget(): Promise<Target> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const records = { line_bytes_max: 1000, frame_bytes: 512 * 1024, batch_age_max: 500 }
  const bench: Bench = createBench({
    name: 'push',
    onSlab({ token }) {
      if (token === undefined) return
      setImmediate(() => bench.actor().on.durable?.({ type: 'durable', tokens: [token] }, 'sample'))
    },
  })
  let port = 0
  const options = { ...schema.parse({ type: 'http', listen: '127.0.0.1:0' }), body_bytes_max: BODY_BYTES_MAX }
  const source = httpSource(bench.context, {
    name: 'push',
    options,
    records,
    onListening: (taken) => (port = taken),
  })
  await bench.start(source)

  function push(body: Buffer, headers: Record<string, string>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const call = request(
        { port, host: '127.0.0.1', path: '/ingest', method: 'POST', headers, agent },
        (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
          )
        },
      )
      call.on('error', reject)
      call.end(body)
    })
  }

  return {
    name: 'bodies pushed over HTTP',
    inputs: 100,
    outcomes: ['taken', 'refused'],
    async feed(hostile) {
      const { body, headers } = bodyOf(hostile)
      bench.slabs.length = 0
      bench.story.length = 0
      const { status, text } = await push(body, headers)
      assert.ok(ANSWERS.includes(status), `${status} ${text}`)
      const said = JSON.parse(text) as { records?: number; error?: string }
      if (status !== 200) {
        assert.ok(said.error !== undefined && said.error !== '', text)
        assert.equal(bench.lines().length, 0, 'refused, and yet lines came')
        return 'refused'
      }
      assert.equal(said.records, bench.lines().length)
      return 'taken'
    },
    async close() {
      agent.destroy()
      await bench.stop()
    },
  }
}

function bodyOf(hostile: Hostile): { body: Buffer; headers: Record<string, string> } {
  const items = Array.from({ length: hostile.between(0, 6) }, () => hostile.json(3))
  const text = hostile.oneOf([
    `[${items.join(',')}]`,
    items.join('\n'),
    items[0] ?? '',
    ' '.repeat(BODY_BYTES_MAX + 1),
  ])
  const plain = hostile.mutated(Buffer.from(text), hostile.between(0, 3))
  const packed = hostile.random() < 0.4
  const changed = packed && hostile.random() < 0.4
  const whole = packed ? gzipSync(plain) : plain
  const body = changed ? hostile.mutated(whole, 1) : whole
  return {
    body,
    headers: { 'content-type': hostile.oneOf(TYPES), ...(packed ? { 'content-encoding': 'gzip' } : {}) },
  }
}
