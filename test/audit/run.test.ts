// `millrace audit run` claims only what it has seen: frames on their way, frames lost to damage and no frames at all are told as such.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { knownFrames } from '../../actors/auditor/known-frames.js'
import { encodeCursor } from '../../runtime/wal/cursor.js'
import { openDesk } from '../node/desk.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../stand-ins/loki.js'

const CLAIM = /^every backend holds every record/m

test('no claim is made of frames that are not acknowledged, are lost to damage, or are none', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const es = await startElasticsearchStandIn({ store: 'records' })
  const loki = await startLokiStandIn({ store: 'records' })
  t.after(es.close)
  t.after(loki.close)
  desk.write('logs/a.log', '{"level":"error","msg":"m","service_name":"cart"}\n'.repeat(30))
  const file = desk.write(
    'm.yaml',
    `node: { id: n1, cluster_id: c1, data_dir: ./data }
http: { listen: 127.0.0.1:0 }
sources: { app: { type: file, include: [logs/*.log] } }
backends:
  es: { type: elasticsearch, url: "${es.url}", batch_age_max: 50ms }
  loki: { type: loki, url: "${loki.url}", batch_age_max: 50ms }
`,
  )
  assert.equal((await desk.run('run', '--once', '-c', file)).code, 0)
  const audit = (...args: string[]) => desk.run('audit', 'run', '-c', file, ...args)

  const sound = await audit()
  assert.equal(sound.code, 0, sound.stdout)
  assert.match(sound.stdout, CLAIM)
  assert.match(sound.stdout, /only frames in the journal .* --archive/)

  const none = await audit('--since', '2100-01-01')
  assert.equal(none.code, 0, none.stdout)
  assert.match(none.stdout, /^nothing was checked/m)
  assert.doesNotMatch(none.stdout, CLAIM)

  const journal = join(desk.folder, 'data', 'journal')
  const cursor = join(journal, 'es.cursor')
  const saved = readFileSync(cursor)
  writeFileSync(cursor, encodeCursor('es', { done: [] }))
  const waiting = await audit()
  assert.equal(waiting.code, 0, waiting.stdout)
  assert.match(waiting.stdout, /1 frames of the last minute are on their way and were not checked/)
  assert.doesNotMatch(waiting.stdout, CLAIM)
  const known = async (nowMs: number) => {
    const { onTheirWay, unacknowledged } = await knownFrames({
      dataDir: join(desk.folder, 'data'),
      node: 'local',
      sinceMs: 0,
      backends: ['es', 'loki'],
      archives: [],
      nowMs,
    })
    return [onTheirWay, unacknowledged]
  }
  assert.deepEqual(await known(Date.now()), [1, 0])
  assert.deepEqual(await known(Date.now() + 61_000), [0, 1])

  writeFileSync(cursor, saved)
  const segment = join(journal, readdirSync(journal).find((name) => name.endsWith('.seg')) as string)
  const bytes = readFileSync(segment)
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1
  writeFileSync(segment, bytes)
  const damaged = await audit()
  assert.equal(damaged.code, 1, damaged.stdout)
  assert.match(damaged.stdout, /1 frames of the journal are lost to damage/)
  assert.doesNotMatch(damaged.stdout, CLAIM)
})
