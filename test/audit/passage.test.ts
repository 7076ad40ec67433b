// Frames on their way through JetStream: none is checked before it has left it, and none waits for ever.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPassage, hasPassed, type LogStreamState } from '../../actors/auditor/passage.js'
import type { PooledLease } from '../../actors/auditor/pooled-queue.js'
import type { AuditQueue } from '../../actors/auditor/queue.js'
import { type AuditTask, soundTask } from '../../protocol/audit.js'

const queue = {} as AuditQueue
const task = (more: Partial<AuditTask> = {}): AuditTask => ({
  seq: 1,
  id: 'frame-1',
  count: 3,
  fromMs: 1,
  toMs: 2,
  node: 'agent',
  dueMs: 10,
  ackedMs: 5,
  stage: 'first',
  postponed: 0,
  repairs: 0,
  ...more,
})

async function pass(given: AuditTask, state: LogStreamState | undefined, checks = true) {
  const later: AuditTask[] = []
  const passage = createPassage({
    queue: { later: async (changes) => void later.push(...changes.map((change) => change.task)) },
    checks,
    state: async () => state,
    now: () => 1000,
  })
  const lease: PooledLease = { task: given, from: queue, lease: { task: given } }
  const ready = await passage([lease])
  return { ready: ready.map((each) => each.task), later }
}

test('a frame waits until the stream begins behind where it can have been', async () => {
  const first = await pass(task({ waits: 0 }), { first_seq: 40, last_seq: 90, messages: 51 })
  assert.deepEqual(first.ready, [])
  assert.equal(first.later[0]?.waits, 90)
  const still = await pass(task({ waits: 90 }), { first_seq: 90, last_seq: 140, messages: 51 })
  assert.equal(still.later[0]?.waits, 90)
  const { ready, later } = await pass(task({ waits: 90 }), { first_seq: 91, last_seq: 140, messages: 50 })
  assert.deepEqual(ready, [], 'it goes into the shared queue first')
  assert.deepEqual(later, [task({ ackedMs: 1000, dueMs: 1000 })])
  assert.deepEqual((await pass(task(), undefined)).ready, [task()])
})

test('an empty stream, or one that was made anew, holds no frame of before; no answer is no sign', async () => {
  assert.equal(hasPassed(90, { first_seq: 0, last_seq: 0, messages: 0 }), true)
  assert.equal(hasPassed(90, { first_seq: 91, last_seq: 90, messages: 0 }), true)
  assert.equal(hasPassed(90, { first_seq: 1, last_seq: 12, messages: 12 }), true)
  const { later } = await pass(task({ waits: 0 }), undefined)
  assert.equal(later[0]?.waits, 0)
  assert.ok((later[0]?.dueMs ?? 0) > 1000)
})

test('a node without the backends checks nothing', async () => {
  const { ready, later } = await pass(task(), undefined, false)
  assert.deepEqual(ready, [])
  assert.equal(later.length, 1)
})

test('what a task waits for survives the folder, and nonsense does not', () => {
  assert.equal(soundTask(JSON.parse(JSON.stringify(task({ waits: 7 }))))?.waits, 7)
  assert.equal(soundTask({ ...task(), waits: -1 }), undefined)
  assert.equal(soundTask({ ...task(), waits: 'x' }), undefined)
  assert.equal('waits' in (soundTask(task()) ?? {}), false)
})
