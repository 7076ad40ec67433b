// The audit's queue in JetStream, on a real server: each task to one node, none lost by one that dies, none before its time.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import { connect } from 'nats'
import { openJetStreamQueue } from '../../actors/auditor/jetstream-queue.js'
import type { AuditTask } from '../../protocol/audit.js'
import { systemClock } from '../../runtime/clock.js'
import { serverUrl } from './servers/settings.js'

function task(n: number, dueMs: number, more: Partial<AuditTask> = {}): AuditTask {
  const id = `frame-${String(n).padStart(15, '0')}`
  const fresh = { stage: 'first', postponed: 0, repairs: 0, ackedMs: 0 } as const
  return { seq: n, id, count: 10, fromMs: 1, toMs: 2, node: 'n1', dueMs, ...fresh, ...more }
}

async function cluster(t: TestContext) {
  const name = `TEST_AUDIT_${randomUUID().slice(0, 8)}`
  const admin = await connect({ servers: serverUrl('nats') })
  const manager = await jetstreamManager(admin)
  await manager.streams.add({ name, subjects: [`${name}.>`], retention: RetentionPolicy.Workqueue })
  const connections = [admin]
  t.after(async () => {
    await manager.streams.delete(name)
    for (const each of connections) await each.close()
  })
  return {
    foreign: (text: string) => admin.publish(`${name}.first`, text),
    async node() {
      const connection = await connect({ servers: serverUrl('nats') })
      connections.push(connection)
      const queue = await openJetStreamQueue({
        connection,
        stream: name,
        subjects: name,
        consumers: 'audit',
        takes: true,
        clock: systemClock,
        pollMs: 1000,
        ackWaitMs: 120_000,
        givenUp: async () => undefined,
        foreign: () => undefined,
      })
      t.after(() => queue.close())
      return { queue, connection }
    },
  }
}

test('two nodes share the tasks, a foreign message is put aside, and what one gives back the other takes', async (t) => {
  const { node, foreign } = await cluster(t)
  const [one, two] = [await node(), await node()]
  foreign('not a task')
  await one.queue.put(Array.from({ length: 20 }, (_, n) => task(n, 0)))
  // Twice the same task within the server's window is once.
  await one.queue.put([task(3, 0)])
  const first = await one.queue.take(12)
  const second = await two.queue.take(20)
  const all = [...first, ...second].map((lease) => lease.task.seq)
  assert.deepEqual(
    all.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, n) => n),
  )
  await two.queue.done(second)
  // It ends without having finished its own.
  await one.queue.close()
  const third = await two.queue.take(20)
  assert.deepEqual(
    third.map((lease) => lease.task.seq).toSorted((a, b) => a - b),
    first.map((lease) => lease.task.seq).toSorted((a, b) => a - b),
  )
  await two.queue.done(third)
  assert.deepEqual(await two.queue.take(20), [])
  assert.equal(two.queue.figures().waiting, 0)
})

test('a task that is not due goes back and comes in time; postponed it comes with what was noted in it', async (t) => {
  const { node } = await cluster(t)
  const { queue } = await node()
  const dueMs = Date.now() + 2500
  await queue.put([task(1, dueMs), task(2, 0, { stage: 'again' })])
  const [other] = await queue.take(5)
  assert.equal(other?.task.seq, 2)
  assert.ok(other !== undefined)
  await queue.later([{ leased: other, task: { ...other.task, postponed: 1, dueMs: 0 } }])
  const seen: AuditTask[] = []
  while (seen.length < 2) {
    const leased = await queue.take(5)
    if (leased.some((lease) => lease.task.seq === 1)) assert.ok(Date.now() >= dueMs, 'not before its time')
    seen.push(...leased.map((lease) => lease.task))
    await queue.done(leased)
  }
  assert.deepEqual(seen.map(({ seq, postponed }) => [seq, postponed]).toSorted(), [
    [1, 0],
    [2, 1],
  ])
})
