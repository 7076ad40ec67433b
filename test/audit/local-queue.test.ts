// The audit's own queue: durable before it is said, bounded, and nothing of it lost by a crash.
import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openLocalQueue } from '../../actors/auditor/local-queue.js'
import type { AuditTask } from '../../protocol/audit.js'

function task(n: number, dueMs: number, more: Partial<AuditTask> = {}): AuditTask {
  const id = `frame-${String(n).padStart(15, '0')}`
  const fresh = { stage: 'first', postponed: 0, repairs: 0, ackedMs: 0 } as const
  return { seq: n, id, count: 10, fromMs: 1, toMs: 2, node: 'n1', dueMs, ...fresh, ...more }
}

async function open(t: TestContext, at?: string) {
  const folder = at ?? (await mkdtemp(join(tmpdir(), 'millrace-queue-')))
  if (at === undefined) t.after(() => rm(folder, { recursive: true, force: true }))
  const clock = { nowMs: 1_000_000, now: () => clock.nowMs }
  const queue = await openLocalQueue({ folder, bytesMax: 100_000, clock })
  return { folder, clock, queue }
}

const seqs = (leased: readonly { readonly task: AuditTask }[]) => leased.map((lease) => lease.task.seq)

test('a task comes when it is due and not before, oldest first, and is gone when it is done', async (t) => {
  const { queue, clock, folder } = await open(t)
  await queue.put([task(1, 1_060_000), task(2, 1_030_000), task(3, 1_030_000)])
  assert.deepEqual(seqs(await queue.take(10)), [])
  clock.nowMs = 1_030_000
  const first = await queue.take(1)
  assert.deepEqual(seqs(first), [2])
  clock.nowMs = 1_060_000
  const rest = await queue.take(10)
  assert.deepEqual(seqs(rest), [3, 1])
  assert.deepEqual(seqs(await queue.take(10)), [], 'leased tasks do not come twice')
  await queue.done([...first, ...rest])
  assert.deepEqual(await readdir(folder), [])
  assert.deepEqual(queue.figures(), { waiting: 0, due: 0, oldestDueMs: undefined })
})

test('what was leased and not done when the process was killed comes again', async (t) => {
  const { queue, folder } = await open(t)
  await queue.put([task(1, 1000), task(2, 2000)])
  const [one] = await queue.take(10)
  assert.ok(one !== undefined)
  await queue.done([one])
  // No close: killed here.
  const again = await open(t, folder)
  assert.deepEqual(seqs(await again.queue.take(10)).toSorted(), [1, 2], 'checked twice at most, never lost')
})

test('a torn last line is no task, and what is appended after it is one', async (t) => {
  const { queue, folder } = await open(t)
  await queue.put([task(1, 1000)])
  const [name = ''] = await readdir(folder)
  await appendFile(join(folder, name), '{"seq":7,"id":"tor')
  const again = await open(t, folder)
  await again.queue.put([task(2, 1000)])
  assert.deepEqual(seqs(await again.queue.take(10)).toSorted(), [1, 2])
  const third = await open(t, folder)
  assert.deepEqual(seqs(await third.queue.take(10)).toSorted(), [1, 2])
})

test('postponed, a task comes at its new time with what was noted in it', async (t) => {
  const { queue, clock } = await open(t)
  await queue.put([task(1, 1000)])
  const [leased] = await queue.take(1)
  assert.ok(leased !== undefined)
  await queue.later([{ leased, task: { ...leased.task, dueMs: 1_500_000, postponed: 3 } }])
  assert.deepEqual(seqs(await queue.take(1)), [])
  clock.nowMs = 1_500_000
  assert.equal((await queue.take(1))[0]?.task.postponed, 3)
})

test('at the bound nothing is taken, and the text says which option', async (t) => {
  const { queue } = await open(t)
  assert.equal(queue.room(), 454)
  await assert.rejects(queue.put(Array.from({ length: 500 }, (_, n) => task(n, 5000))), /audit\.queue_bytes/)
  assert.equal(queue.figures().waiting, 0)
})

test("what was put back already is nobody else's to give back: no other task is through for it", async (t) => {
  const { queue, clock } = await open(t)
  await queue.put([task(1, 1000), task(2, 1000), task(3, 1000)])
  const [one, two] = await queue.take(2)
  assert.ok(one !== undefined && two !== undefined)
  await queue.later([{ leased: one, task: { ...one.task, dueMs: clock.nowMs + 60_000 } }])
  queue.giveBack([one, two])
  await queue.done([one])
  const rest = await queue.take(10)
  assert.deepEqual(seqs(rest).toSorted(), [2, 3])
  await queue.done(rest)
  assert.equal(queue.figures().waiting, 1)
  clock.nowMs += 120_000
  assert.deepEqual(seqs(await queue.take(10)), [1])
})
