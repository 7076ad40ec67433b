// Threads that die: the supervisor brings them back with whom they are linked, and gives up when it must.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Message } from '../../protocol/messages.js'
import { systemClock } from '../../runtime/clock.js'
import { createLiveMemory } from '../../runtime/live-settings.js'
import { createLogger } from '../../runtime/log.js'
import { createArena } from '../../runtime/slots.js'
import { createSupervisor, type Supervisor } from '../../runtime/supervisor.js'

interface Watched {
  readonly supervisor: Supervisor
  /** Resolves with the next message from an actor that matches. */
  next(matches: (message: Message) => boolean): Promise<Message>
  readonly gaveUp: Promise<Error>
  /** Groups that went down. */
  readonly downs: Set<string>
  stop(): Promise<void>
}

type Journal = { kind: string; options: unknown }

function supervise({
  restartsMax = 5,
  journal = { kind: 'answerer', options: {} } as Journal,
} = {}): Watched {
  const waiting = new Set<(message: Message) => void>()
  let giveUp: (error: Error) => void = () => undefined
  const downs = new Set<string>()
  const gaveUp = new Promise<Error>((resolve) => (giveUp = resolve))
  const arena = createArena({ count: 4, rawBytesMax: 64, encodedBytesMax: 64 })
  const supervisor = createSupervisor({
    groups: [
      { group: 'ingest', actors: ['sample'] },
      { group: 'journal', actors: ['journal'] },
      { group: 'writers', actors: ['writer.es'] },
    ],
    actors: [
      { name: 'sample', kind: 'asker', options: {} },
      { name: 'journal', ...journal },
      { name: 'writer.es', kind: 'asker', options: {} },
    ],
    shared: {
      node: { id: 'n', clusterId: 'c', dataDir: '' },
      once: false,
      arena,
      live: createLiveMemory('{}'),
      logLevel: 'silent',
    },
    workerFile: fileURLToPath(new URL('./fakes.js', import.meta.url)),
    restarts: { max: restartsMax, windowMs: 60_000 },
    heapMegabytesMax: 128,
    clock: systemClock,
    random: () => 0,
    log: createLogger('silent'),
    onMessage(_, message) {
      for (const look of waiting) look(message)
    },
    onMetrics: () => undefined,
    onDown: (group) => void downs.add(group),
    onUp: () => undefined,
    onGiveUp: giveUp,
  })
  return {
    supervisor,
    downs,
    gaveUp,
    next: (matches) =>
      new Promise((resolve) => {
        const look = (message: Message): void => {
          if (!matches(message)) return
          waiting.delete(look)
          resolve(message)
        }
        waiting.add(look)
      }),
    stop: () => supervisor.stopGroups(['ingest', 'writers', 'journal'], 1000),
  }
}

/** An answer that went from an asker of this epoch to the journal, back, and to the supervisor. */
function fromEpoch(epoch: number): (message: Message) => boolean {
  return (message) => message.type === 'positions' && message.source.startsWith(`${epoch}:`)
}

test('a thread that dies without a word comes back and its messages flow again', async (t) => {
  const watched = supervise()
  t.after(watched.stop)
  await watched.supervisor.start()
  await watched.next(fromEpoch(1))
  watched.supervisor.kill('ingest')
  await watched.next(fromEpoch(2))
  const { ingest, journal, writers } = watched.supervisor.groups()
  assert.deepEqual([ingest?.restarts, journal?.restarts, writers?.restarts], [1, 0, 0])
})

test('a thread whose actors have not started yet does not count as up', async (t) => {
  const watched = supervise()
  t.after(watched.stop)
  const started = watched.supervisor.start()
  const up = () => Object.values(watched.supervisor.groups()).map((group) => group.up)
  assert.deepEqual(up(), [false, false, false])
  await started
  assert.deepEqual(up(), [true, true, true])
})

test("the journal's death restarts everyone who spoke with it", async (t) => {
  const watched = supervise()
  t.after(watched.stop)
  await watched.supervisor.start()
  await watched.next(fromEpoch(1))
  watched.supervisor.kill('journal')
  await watched.next(fromEpoch(2))
  const restarts = Object.values(watched.supervisor.groups()).map((group) => group.restarts)
  assert.deepEqual(restarts, [1, 1, 1])
})

test('an actor that fails takes only its own group down', async (t) => {
  const watched = supervise()
  t.after(watched.stop)
  await watched.supervisor.start()
  await watched.next(fromEpoch(1))
  watched.supervisor.send('writer.es', { type: 'drain' })
  await watched.next(fromEpoch(2))
  assert.equal(watched.supervisor.groups().writers?.restarts, 1)
  assert.equal(watched.supervisor.groups().ingest?.restarts, 0)
})

test('a thread that has thrown is gone before its next life begins', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pipe-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const watched = supervise({ journal: { kind: 'thrower', options: { pipe } } })
  t.after(watched.stop)
  await watched.supervisor.start()
  await watched.next(fromEpoch(1))
  let isBack = false
  const back = watched.next(fromEpoch(2)).then(() => (isBack = true))
  watched.supervisor.send('journal', { type: 'drain' })
  while (!watched.downs.has('journal')) await sleep(5)
  // Long enough for a next life that would not wait.
  await Promise.race([back, sleep(2000)])
  const wasBack = isBack
  // For both ways: for writing alone it would wait for the reader.
  const writer = await open(pipe, 'r+')
  await back
  await writer.close()
  assert.equal(wasBack, false, 'two lives at once')
})

test('a thread is ended between two pieces of work, never within one', async (t) => {
  const work = new Int32Array(new SharedArrayBuffer(4))
  const watched = supervise({ journal: { kind: 'worker', options: { work } } })
  t.after(watched.stop)
  await watched.supervisor.start()
  for (let epoch = 1; epoch <= 4; epoch++) {
    await watched.next(fromEpoch(epoch))
    const before = Atomics.load(work, 0)
    while (Atomics.load(work, 0) < before + 3) await sleep(1)
    watched.supervisor.kill('journal')
    while (!watched.downs.has('journal')) await sleep(1)
    watched.downs.delete('journal')
    assert.equal(Atomics.load(work, 0) % 2, 0, 'ended in the middle of its work')
  }
})

test('a thread that does not listen is ended all the same', async (t) => {
  const work = new Int32Array(new SharedArrayBuffer(4))
  const watched = supervise({ journal: { kind: 'worker', options: { work, deaf: true } } })
  t.after(watched.stop)
  await watched.supervisor.start()
  while (Atomics.load(work, 0) === 0) await sleep(1)
  watched.supervisor.kill('journal')
  while (!watched.downs.has('journal')) await sleep(1)
  assert.equal(Atomics.load(work, 0), 1)
})

test('more crashes than allowed in the window end the node with a reason', async (t) => {
  const watched = supervise({ restartsMax: 1 })
  t.after(watched.stop)
  await watched.supervisor.start()
  watched.supervisor.kill('writers')
  await watched.next(fromEpoch(2))
  watched.supervisor.kill('writers')
  assert.match((await watched.gaveUp).message, /writers went down .* more than 1 restarts in 60 s/)
})

test("an operator's restarts end no node, and are told apart from crashes", async (t) => {
  const watched = supervise({ restartsMax: 1 })
  t.after(watched.stop)
  await watched.supervisor.start()
  for (let epoch = 1; epoch <= 4; epoch++) {
    await watched.next(fromEpoch(epoch))
    watched.supervisor.restart('writers')
  }
  await watched.next(fromEpoch(5))
  watched.supervisor.kill('writers')
  await watched.next(fromEpoch(6))
  const { restarts, asked } = watched.supervisor.groups().writers ?? {}
  assert.deepEqual([restarts, asked], [5, 4])
})

test('a fault that only the operator can mend is not tried again and again', async (t) => {
  const watched = supervise({ journal: { kind: 'answerer', options: { failAtStart: 'http.port_in_use' } } })
  t.after(watched.stop)
  void watched.supervisor.start()
  assert.match((await watched.gaveUp).message, /cannot start/)
  assert.equal(watched.supervisor.groups().journal?.restarts, 0)
})
