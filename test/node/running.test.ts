// A running node in a rough world: a backend that comes late, pushes without room, the tools that look at it, a second node beside it.
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { demandNoStack, openDesk, takePort } from './desk.js'
import { until } from './scene.js'

const QUICK = 'batch_age_max: 50ms, retry: { initial: 20ms, max: 200ms }, breaker: { open: 200ms }'
const ALL = 'sampling: { tiers: { fatal: 1, error: 1, warn: 1, info: 1, debug: 1, trace: 1 } }'

function lines(count: number, seq = 0): string {
  const one = (n: number) => `{"level":"info","msg":"hello","service_name":"cart","seq":${seq + n}}\n`
  return Array.from({ length: count }, (_, n) => one(n)).join('')
}

test('a backend that is not there at the start gets everything once it is; the tools look at the node meanwhile', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const reserved = await takePort()
  await reserved.free()
  const loki = await startLokiStandIn({ store: 'records' })
  t.after(loki.close)
  const file = desk.write(
    'm.yaml',
    `node: { data_dir: ./data }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs/*.log], poll: 20ms } }
${ALL}
backends:
  es: { type: elasticsearch, url: "http://127.0.0.1:${reserved.port}", ${QUICK} }
  loki: { type: loki, url: "${loki.url}", ${QUICK} }
`,
  )
  const log = desk.write('logs/a.log', lines(100))
  const node = desk.start('run', '-c', file)
  const address = await node.address()
  await until(
    () => loki.count() === 100,
    () => `loki has ${loki.count()}`,
  )
  await node.said(/backend es cannot be opened: .*ECONNREFUSED/)
  const tapped = desk.run('tap', '--address', address, '-n', '5', '--json', '-f', 'seq>=100')
  const [top, inspect, fsck, second] = await Promise.all([
    desk.run('top', '--once', '--address', address),
    desk.run('wal', 'inspect', '--json', '-c', file),
    desk.run('wal', 'fsck', '-c', file),
    desk.run('run', '-c', file),
  ])
  assert.deepEqual([top.code, inspect.code, fsck.code, second.code], [0, 0, 1, 1])
  assert.match(top.stdout, /^es .*\n?/m)
  const cursors = (JSON.parse(inspect.stdout) as { cursors: { backend: string; lagRecords: number }[] })
    .cursors
  assert.equal(cursors.find(({ backend }) => backend === 'es')?.lagRecords, 100)
  for (const refused of [fsck, second])
    assert.match(refused.stderr, /data_dir .* is in use by the running millrace process/)
  const es = await startElasticsearchStandIn({ store: 'records', port: reserved.port })
  t.after(es.close)
  await until(
    () => es.count() === 100,
    () => `es has ${es.count()}`,
  )
  // The tap may be open at any moment: records pass until it has its five.
  let tap: Awaited<typeof tapped> | undefined
  void tapped.then((ended) => (tap = ended))
  let written = 100
  await until(
    () => {
      if (tap === undefined) appendFileSync(log, lines(1, written++))
      return tap !== undefined
    },
    () => 'the tap shows nothing',
  )
  assert.deepEqual([tap?.code, tap?.stdout.trim().split('\n').length], [0, 5])
  await until(
    () => es.count() === written && loki.count() === written,
    () => `es ${es.count()}, loki ${loki.count()}, written ${written}`,
  )
  desk.write('m.yaml', 'sources: [')
  node.child.kill('SIGHUP')
  await node.said(/reload refused, nothing changed/)
  node.child.kill('SIGTERM')
  const ended = await node.ended
  demandNoStack(ended, 'a node through an outage')
  assert.equal(ended.code, 0, ended.stderr)
})

test('pushes: bad bodies are refused one by one, 200 means durable, and a full journal answers 429', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const { port, free } = await takePort()
  await free()
  const file = desk.write(
    'm.yaml',
    `node: { data_dir: ./data }
http: { listen: 127.0.0.1:0 }
sources: { in: { type: http, listen: 127.0.0.1:${port}, body_bytes_max: 256KiB, timeout: 300ms } }
${ALL}
journal: { bytes_max: 256KiB, segment_bytes: 64KiB }
runtime: { shutdown: 500ms, slots: 6 }
backends: { es: { type: elasticsearch, url: "http://127.0.0.1:1", ${QUICK} } }
`,
  )
  const node = desk.start('run', '-c', file)
  await node.address()
  const push = async (body: string | Buffer, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/ingest`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', ...headers },
      body,
    })
    await response.arrayBuffer()
    return response
  }
  const gzip = { 'content-encoding': 'gzip' }
  // A slow disk does not confirm in time: 503, as for any client, means to send it again.
  const confirmed = async (...what: Parameters<typeof push>) => {
    for (;;) {
      const answer = await push(...what)
      if (answer.status !== 503) return answer
    }
  }
  assert.equal((await confirmed(lines(10))).status, 200)
  assert.equal((await confirmed(gzipSync(lines(10, 10)), gzip)).status, 200)
  assert.equal((await push(gzipSync(Buffer.alloc(64 * 1024 * 1024)), gzip)).status, 413, 'a gzip bomb')
  assert.equal((await push('not gzip at all', gzip)).status, 400)
  assert.equal((await push('[{"a":1},', { 'content-type': 'application/json' })).status, 400)
  assert.equal((await push(Buffer.alloc(300 * 1024, 0x61))).status, 413)
  assert.equal((await push('x', { 'content-type': 'image/png' })).status, 415)
  let taken = 20
  let refusal: Response | undefined
  for (let n = 0; n < 400 && refusal === undefined; n++) {
    // Random text does not compress: the journal fills with what was pushed.
    const noise = Buffer.from(Array.from({ length: 12_000 }, () => Math.floor(Math.random() * 256))).toString(
      'base64',
    )
    const answer = await push(`{"msg":"${noise}","seq":${n}}\n`)
    if (answer.status === 200) taken++
    // What waits for the journal in memory is not refused, and not confirmed either: 503. Behind it nothing more is taken.
    else if (answer.status === 429) refusal = answer
    else assert.equal(answer.status, 503)
  }
  assert.ok(Number(refusal?.headers.get('retry-after')) > 0, 'a full journal answers 429 with Retry-After')
  node.child.kill('SIGKILL')
  demandNoStack(await node.ended, 'a node under pushes')
  const inspect = await desk.run('wal', 'inspect', '--json', '-c', file)
  const held = (JSON.parse(inspect.stdout) as { segments: { records: number }[] }).segments
  const records = held.reduce((sum, segment) => sum + segment.records, 0)
  assert.ok(records >= taken, `${taken} records were answered with 200, the journal holds ${records}`)
})

test('run --once ends with 3 when a backend can never take a record, and with 0 when it is run again', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const loki = await startLokiStandIn({ store: 'records' })
  t.after(loki.close)
  const file = desk.write(
    'm.yaml',
    `node: { data_dir: ./data }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs/*.log] } }
${ALL}
backends: { loki: { type: loki, url: "${loki.url}", ${QUICK} } }
`,
  )
  desk.write('logs/a.log', `{"ts":"2001-01-01T00:00:00Z","level":"info","msg":"too old"}\n${lines(3)}`)
  const first = await desk.run('run', '--once', '--json', '-c', file)
  demandNoStack(first, 'dead letters')
  assert.equal(first.code, 3, first.stderr)
  const status = JSON.parse(first.stdout) as {
    backends: { loki: { deadLetters: number; writtenRecords: number } }
  }
  assert.deepEqual([status.backends.loki.deadLetters, loki.count()], [1, 3])
  const second = await desk.run('run', '--once', '-c', file)
  assert.equal(second.code, 0, second.stderr)
})
