// What becomes of single lines: cut, grouped, rewritten, sampled; never dropped for their shape.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sampling } from '../../protocol/config/sampling.js'
import { createChain, criOrigin, openOrigin } from './chain.js'

const STAMP = '2026-11-23T10:00:00.000000001Z'

function through(
  lines: readonly string[],
  more: Parameters<typeof criOrigin>[1] = {},
  options = {},
): Record<string, unknown>[] {
  const chain = createChain(options)
  openOrigin(chain, criOrigin(1, more))
  chain.feed(1, Buffer.from(`${lines.join('\n')}\n`))
  chain.end()
  return chain.lines().map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('the canonical record has its fields in order, and the host wins over the record', () => {
  const chain = createChain()
  openOrigin(chain, criOrigin(1, { labels: { app: 'cart' } }))
  const claim =
    '{"ts":"2026-11-23T09:59:59.5Z","namespace":"victim","pod_uid":"x","msg":"hi","level":"warn","a":1,"kubernetes.labels.app":"y"}'
  chain.feed(1, Buffer.from(`${STAMP} stdout F ${claim}\n`))
  chain.end()
  assert.deepEqual(chain.lines(), [
    '{"timestamp":"2026-11-23T09:59:59.5Z","log_level":"WARN","service_name":"cart","pod_uid":"uid-1","namespace":"shop","cluster_id":"test","log_type":"app","pod_name":"cart-1","container_name":"main","node_name":"node-1","stream":"stdout","kubernetes.labels.app":"cart","message":"hi","a":1}',
  ])
})

test('a line over line_bytes_max is cut at a character and marked', () => {
  const [record] = through(
    [`${STAMP} stdout F ERROR ${'ü'.repeat(40_000)}`],
    {},
    { records: { line_bytes_max: 32_768 } },
  )
  assert.equal(record?.truncated, true)
  assert.equal(record?.log_level, 'ERROR')
  assert.match(String(record?.message), /^ERROR ü+$/)
})

test('a line whose escaped form exceeds what the backends take is cut so that it fits', () => {
  const chain = createChain({ canonicalBytesMax: 100_000 })
  openOrigin(chain, criOrigin(1))
  chain.feed(1, Buffer.from(`${STAMP} stdout F ${'"'.repeat(90_000)}\n`))
  chain.end()
  const line = chain.lines()[0] ?? ''
  assert.ok(line.length <= 100_000, `${line.length}`)
  assert.match(line, /"truncated":true\}$/)
})

test('a stack trace by a start pattern becomes one record, the last one after its wait', () => {
  const chain = createChain()
  const multiline = { start: '^\\d{4}-', waitMs: 1000, linesMax: 100 }
  openOrigin(chain, criOrigin(1, { format: 'lines', multiline }))
  chain.feed(1, Buffer.from('2026-01-01 ERROR boom\n  at a()\n  at b()\n2026-01-02 INFO fine\n'))
  chain.advance(600)
  assert.deepEqual(chain.lines().length, 1)
  chain.advance(1500)
  chain.advance(1000)
  const messages = chain.lines().map((line) => (JSON.parse(line) as { message: string }).message)
  assert.deepEqual(messages, ['2026-01-01 ERROR boom\n  at a()\n  at b()', '2026-01-02 INFO fine'])
})

test('logfmt and klog lines become fields', () => {
  const [logfmt] = through(['ts=2026-11-23T10:00:00Z level=warn msg="two words" n=7'], {
    format: 'lines',
    content: 'logfmt',
  })
  assert.equal(logfmt?.log_level, 'WARN')
  assert.equal(logfmt?.message, 'two words')
  assert.equal(logfmt?.n, '7')
  const [klog] = through(['E1123 10:11:12.123456    4711 sync.go:88] it broke'], {
    format: 'lines',
    content: 'klog',
  })
  assert.equal(klog?.log_level, 'ERROR')
  assert.equal(klog?.source, 'sync.go:88')
  assert.equal(klog?.message, 'it broke')
})

test('text content is never looked into', () => {
  const [record] = through([`${STAMP} stdout F {"level":"error","a":1}`], { content: 'text' })
  assert.equal(record?.message, '{"level":"error","a":1}')
})

test('static tiers: debug is dropped unless its service is named, audit is never dropped', () => {
  const lines = ['debug', 'info'].map((level) => `${STAMP} stdout F {"level":"${level}","msg":"x"}`)
  const audit = `${STAMP} stdout F {"level":"debug","log_type":"audit","msg":"x"}`
  const levels = (options: object) =>
    through([...lines, audit], {}, options).map((record) => [record.log_level, record.log_type])
  assert.deepEqual(levels({ sampling: {} }), [
    ['INFO', 'app'],
    ['DEBUG', 'audit'],
  ])
  assert.deepEqual(levels({ sampling: { debug_services: 'cart' } }), [
    ['DEBUG', 'app'],
    ['INFO', 'app'],
    ['DEBUG', 'audit'],
  ])
})

test('a fixed rate keeps about its share, and the kept records say so', () => {
  const lines = Array.from({ length: 4000 }, (_, n) => `${STAMP} stdout F {"level":"info","n":${n}}`)
  const kept = through(lines, {}, { sampling: { info: { services: { cart: 0.1 } } } })
  // 4000 trials at 0.1: mean 400, standard deviation 19; six of them on each side.
  assert.ok(kept.length > 286 && kept.length < 514, `${kept.length} kept`)
  assert.ok(kept.every((record) => record.sample_rate === 0.1))
})

test('settings published while running take effect with the next slab', () => {
  const chain = createChain()
  openOrigin(chain, criOrigin(1))
  const line = Buffer.from(`${STAMP} stdout F {"level":"debug"}\n`)
  chain.feed(1, line)
  chain.live.publish(JSON.stringify(sampling.parse({ tiers: { debug: 0 } })))
  chain.feed(1, line, { offset: line.length })
  chain.end()
  assert.equal(chain.lines().length, 1)
})

test('a pushing client is answered when its records are committed, even when nothing of them was kept', async () => {
  const chain = createChain({ sampling: { tiers: { info: 0 } } })
  openOrigin(chain, { ...criOrigin(1, { format: 'lines' }), trusted: {} })
  chain.feed(1, Buffer.from('{"level":"error","msg":"kept"}\n'), { token: 7 })
  chain.advance(20)
  await Promise.resolve()
  assert.deepEqual(chain.toSources, [{ type: 'durable', tokens: [7] }])
  chain.feed(1, Buffer.from('{"level":"info","msg":"dropped"}\n'), { token: 8 })
  chain.advance(5000)
  await Promise.resolve()
  await Promise.resolve()
  assert.ok(chain.toSources.some((message) => message.type === 'durable' && message.tokens.includes(8)))
})
