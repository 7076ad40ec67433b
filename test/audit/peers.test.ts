// What another auditor may tell a node: its own tasks and nothing else; anything that is not sound is refused whole.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backendsToken } from '../../actors/auditor/shared.js'
import { readTold } from '../../actors/auditor/peers.js'
import { type AuditTask, soundTask } from '../../protocol/audit.js'
import { elasticsearchBackend, lokiBackend } from '../../protocol/config/backends.js'

const task: AuditTask = {
  ...{ seq: 4, id: 'V1StGXR8_Z5jdHi6B-myT', count: 10, fromMs: 1000, toMs: 2000, node: 'a' },
  ...{ dueMs: 5000, ackedMs: 4000, stage: 'first', postponed: 0, repairs: 1, unclaimed: 2 },
  spans: [{ fromMs: 1000, toMs: 1500 }],
}

test('a sound task survives the wire as it is', () => {
  assert.deepEqual(soundTask(JSON.parse(JSON.stringify(task))), task)
})

test('a task with one member of another kind, a reversed span or a name that is no frame is none', () => {
  for (const wrong of [
    { id: 'a b' },
    { id: '{__name__=~".+"}' },
    { id: 'x'.repeat(65) },
    { count: 0 },
    { count: 1e9 },
    { count: '10' },
    { fromMs: 3000 },
    { toMs: 1e300 },
    { dueMs: null },
    { stage: 'third' },
    { seq: -2 },
    { postponed: -1 },
    { node: 7 },
    { spans: [{ fromMs: 2, toMs: 1 }] },
    { spans: Array.from({ length: 65 }, () => ({ fromMs: 1, toMs: 2 })) },
  ])
    assert.equal(soundTask({ ...task, ...wrong }), undefined, JSON.stringify(wrong))
})

test('a message of another kind, with too much in it, or with the tasks of another node is refused whole', () => {
  const good = { confirmed: [[1, 'f1']], tasks: [task] }
  assert.deepEqual(readTold(good, 'a'), good)
  assert.equal(readTold(good, 'b'), undefined)
  assert.equal(readTold({ ...good, tasks: Array.from({ length: 401 }, () => task) }, 'a'), undefined)
  assert.equal(readTold({ ...good, confirmed: [['1', 'f1']] }, 'a'), undefined)
  fc.assert(fc.property(fc.jsonValue(), (value) => readTold(value, 'a') === undefined))
})

test('nodes share tasks only when they ask the same backends in the same way', () => {
  const es = elasticsearchBackend.parse({ type: 'elasticsearch', url: 'http://127.0.0.1:9200' })
  const loki = lokiBackend.parse({ type: 'loki', url: 'http://127.0.0.1:3100' })
  const token = backendsToken({ es, loki })
  assert.equal(backendsToken({ loki, es: { ...es, batch_bytes: 1 << 21 } }), token)
  assert.notEqual(backendsToken({ es, loki: { ...loki, tenant: 'other' } }), token)
  assert.notEqual(backendsToken({ es: { ...es, index: 'else' }, loki }), token)
  assert.match(token, /^[0-9a-f]{12}$/)
})
