// `run --once` is a batch: exit 0 means that all of it is done, whatever ended it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { openDesk, takePort } from './desk.js'
import { until } from './scene.js'

test('a batch that a signal ends before all of it is delivered exits 1, and goes on when it is run again', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const reserved = await takePort()
  await reserved.free()
  const config = (url: string): string => `node: { data_dir: ./data }
http: { listen: 127.0.0.1:0 }
runtime: { shutdown: 300ms }
sources: { app: { type: file, include: [logs/*.log], poll: 20ms } }
backends: { es: { type: elasticsearch, url: "${url}", batch_age_max: 50ms, retry: { initial: 20ms, max: 100ms } } }
`
  const file = desk.write('m.yaml', config(`http://127.0.0.1:${reserved.port}`))
  desk.write('logs/a.log', '{"level":"error","msg":"hello","service_name":"cart"}\n'.repeat(20))
  const node = desk.start('run', '--once', '-c', file)
  await node.said(/backend es cannot be opened/)
  node.child.kill('SIGTERM')
  const ended = await node.ended
  assert.equal(ended.code, 1, ended.stderr)
  assert.match(ended.stderr, /ended by a signal before everything was read and acknowledged/)
  const es = await startElasticsearchStandIn({ store: 'records' })
  t.after(es.close)
  desk.write('m.yaml', config(es.url))
  const again = await desk.run('run', '--once', '-c', file)
  assert.equal(again.code, 0, again.stderr)
  await until(
    () => es.count() === 20,
    () => `es has ${es.count()}`,
  )
})
