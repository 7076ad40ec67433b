// The audit's queues together: a shared one that comes and goes loses no task, and a node does not wait for ever for others' word.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openLocalQueue } from '../../actors/auditor/local-queue.js'
import { createPooledQueue, RECALL_AFTER_MS } from '../../actors/auditor/pooled-queue.js'
import type { AuditQueue, Leased } from '../../actors/auditor/queue.js'
import type { AuditTask } from '../../protocol/audit.js'

const task = (seq: number, more: Partial<AuditTask> = {}): AuditTask => ({
  ...{ seq, id: `f${seq}`, count: 1, fromMs: 1, toMs: 2, node: 'a', dueMs: 0, ackedMs: 0 },
  ...{ stage: 'first', postponed: 0, repairs: 0 },
  ...more,
})

/** A shared queue in memory that can be told to refuse everything. */
function sharedDouble() {
  const tasks: AuditTask[] = []
  const leased = new Set<Leased>()
  let fails = false
  const guard = () => {
    if (fails) throw new Error('no answer')
  }
  const queue: AuditQueue = {
    async put(some) {
      guard()
      tasks.push(...some)
    },
    async take(most) {
      guard()
      const taken = tasks.splice(0, most).map((each) => ({ task: each }))
      for (const each of taken) leased.add(each)
      return taken
    },
    async done(some) {
      guard()
      for (const each of some) leased.delete(each)
    },
    async later() {
      throw new Error('not used by the pool')
    },
    giveBack(some) {
      for (const each of some) if (leased.delete(each)) tasks.push(each.task)
    },
    waitingFirst: () => [],
    room: () => 100,
    figures: () => ({ waiting: tasks.length, due: tasks.length, oldestDueMs: undefined }),
    close: async () => undefined,
  }
  return { queue, tasks, leased, fail: (on: boolean) => void (fails = on) }
}

/** A shared queue that takes nothing. */
function refusing(): AuditQueue {
  const { queue, fail } = sharedDouble()
  fail(true)
  return queue
}

async function pooled(t: TestContext, bytesMax = 1 << 20) {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-pool-'))
  const clock = { ms: 1_000_000, now: () => clock.ms }
  const local = await openLocalQueue({ folder, bytesMax, clock, bucketMs: 100 })
  const said: string[] = []
  const counts: Record<string, number> = {}
  const pool = createPooledQueue({
    ...{ local, node: 'a', clock },
    refused: (error) => said.push(error === undefined ? 'takes' : 'refuses'),
    unheard: () => said.push('unheard'),
    takes: true,
    fellBack: (tasks: number) => (counts['fallback'] = (counts['fallback'] ?? 0) + tasks),
    counted: (queue, tasks) => (counts[queue] = (counts[queue] ?? 0) + tasks),
  })
  t.after(async () => {
    await pool.close()
    await rm(folder, { recursive: true })
  })
  return { pool, clock, said, counts, shared: sharedDouble() }
}

test('tasks go to the shared queue while it takes them, else into the folder, and back when it takes them again', async (t) => {
  const { pool, clock, said, counts, shared } = await pooled(t)
  await pool.put([task(1)])
  pool.share(shared.queue)
  await pool.put([task(2)])
  shared.fail(true)
  await pool.put([task(3)])
  shared.fail(false)
  await pool.put([task(4)])
  assert.deepEqual(
    shared.tasks.map(({ seq }) => seq),
    [2],
    'what has just refused is left alone for a while',
  )
  clock.ms += 10_000
  await pool.put([task(5)])
  assert.deepEqual(said, ['refuses', 'takes'])
  assert.deepEqual(counts, { local: 3, shared: 2, fallback: 3 })
  const all = await pool.take(10)
  assert.deepEqual(
    all.map((lease) => lease.task.seq),
    [1, 3, 4, 2, 5],
  )
  await pool.done(all)
  assert.equal(shared.leased.size, 0)
  assert.deepEqual(await pool.take(10), [])
})

test('a task that comes later is durable somewhere before the shared queue hears of it, also when that is gone', async (t) => {
  const { pool, clock, said, shared } = await pooled(t)
  pool.share(shared.queue)
  await pool.put([task(1)])
  const [lease] = await pool.take(1)
  assert.ok(lease !== undefined)
  shared.fail(true)
  await pool.later([{ leased: lease, task: { ...lease.task, postponed: 1, dueMs: clock.ms + 500 } }])
  assert.deepEqual(said, ['refuses', 'unheard'])
  pool.share(undefined)
  clock.ms += 1000
  const [again] = await pool.take(1)
  assert.equal(again?.task.postponed, 1)
})

test('word of a frame counts once and only for that frame; without word the node checks it itself', async (t) => {
  const { pool, clock, shared } = await pooled(t)
  pool.share(shared.queue)
  await pool.put([task(1, { dueMs: clock.ms }), task(2, { dueMs: clock.ms }), task(3, { stage: 'again' })])
  assert.equal(pool.settled(1, 'another'), false)
  assert.equal(pool.settled(1, 'f1'), true)
  assert.equal(pool.settled(1, 'f1'), false)
  assert.equal(pool.settled(3, 'f3'), false, 'nobody waits for the second check')
  assert.equal(await pool.recall(), 0)
  shared.tasks.length = 0
  clock.ms += RECALL_AFTER_MS + 1
  assert.equal(await pool.recall(), 1)
  clock.ms += 1000
  const recalled = await pool.take(10)
  assert.deepEqual(
    recalled.map((lease) => lease.task.seq),
    [2],
  )
})

test('what a failed round had taken is there for the next one', async (t) => {
  const { pool, shared } = await pooled(t)
  await pool.put([task(1)])
  pool.share(shared.queue)
  await pool.put([task(2)])
  pool.giveBack(await pool.take(10))
  assert.equal((await pool.take(10)).length, 2)
})

test('a folder at its bound becomes empty again: what comes again has its place', async (t) => {
  for (const share of [false, true]) {
    const { pool, clock } = await pooled(t, 2000)
    if (share) pool.share(refusing())
    let tasks = 0
    const fill = async (): Promise<never> => {
      for (;;) {
        await pool.keep([task(tasks)])
        tasks++
      }
    }
    await assert.rejects(fill(), { code: 'audit.queue_full' })
    assert.ok(tasks > 5)
    const leased = await pool.take(100)
    await pool.later(leased.map((each) => ({ leased: each, task: { ...each.task, dueMs: clock.ms } })))
    clock.ms += 1000
    const again = await pool.take(100)
    assert.equal(again.length, tasks)
    await pool.done(again)
    assert.equal(pool.figures().waiting, 0)
  }
})
