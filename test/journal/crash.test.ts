// The machine may stop, and any single file operation may fail, between any two steps of the journal: nothing acknowledged is lost.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, systemClock } from '../../runtime/clock.js'
import { createSeqSet } from '../../runtime/wal/seq-set.js'
import type { Wal } from '../../runtime/wal/wal.js'
import { createCrashDisk, type CrashDisk, type Trouble } from './crash-disk.js'
import { open, readAll, watch } from './folder.js'
import { frame, position } from './frames.js'

const FOLDER = '/journal'
/** Retries come at once. */
const hurried: Clock = { ...systemClock, after: (_delayMs, run) => systemClock.after(0, run) }

/** Deterministic and well mixed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Ledger {
  /** Frames handed to the journal, by their number, and how many of them it acknowledged. */
  offered: number
  acknowledged: number
  trimmedBelow: number
  cursor: number
  cursorSaved: number
}

const numbered = (n: number) =>
  frame(`f${n}`, [`{"pad":"${'x'.repeat(150 + ((n * 97) % 700))}"}`], [position('a', n + 1)])

/** Appends in batches, saves cursors, deletes segments: every kind of operation that the journal does. */
async function work(wal: Wal, ledger: Ledger, batches: number): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    const size = 1 + (batch % 3)
    const first = ledger.acknowledged
    ledger.offered = first + size
    const got = await wal.append(Array.from({ length: size }, (_, n) => numbered(first + n)))
    assert.equal(got, first)
    ledger.acknowledged = first + size
    if (batch % 3 !== 2) continue
    ledger.cursor = ledger.acknowledged - 4
    await wal.saveCursors(new Map([['es', { done: [[0, Math.max(1, ledger.cursor)]] }]]))
    ledger.cursorSaved = ledger.cursor
    await wal.trim(ledger.cursor)
    ledger.trimmedBelow = ledger.cursor
  }
}

const openOn = (disk: CrashDisk, observer = watch()) =>
  open(FOLDER, { files: disk.files, segmentBytes: 3000, clock: hurried, observer })

/** All acknowledged frames are there under their seq, unacknowledged ones only as a run behind them, positions fit exactly. */
async function check(wal: Wal, ledger: Ledger, what: string): Promise<void> {
  const tail = wal.tailSeq()
  assert.ok(
    tail >= ledger.acknowledged && tail <= ledger.offered,
    `${what}: tail ${tail} of ${JSON.stringify(ledger)}`,
  )
  assert.ok(wal.oldestSeq() <= Math.max(0, ledger.cursor), `${what}: oldest ${wal.oldestSeq()}`)
  const found = [...(await readAll(wal))]
  const expected = Array.from({ length: tail - wal.oldestSeq() }, (_, n) => wal.oldestSeq() + n)
  assert.deepEqual(
    found,
    expected.map((n) => [n, `f${n}`]),
    what,
  )
  assert.deepEqual(wal.positions('pods'), tail === 0 ? [] : [position('a', tail)], what)
  const cursor = wal.cursors.find(({ backend }) => backend === 'es')
  const end = createSeqSet(cursor?.done).end()
  assert.ok(
    end >= Math.max(0, ledger.cursorSaved) && end <= Math.max(1, ledger.cursor),
    `${what}: cursor ${end}`,
  )
  ledger.acknowledged = tail
}

const emptyLedger = (): Ledger => ({
  offered: 0,
  acknowledged: 0,
  trimmedBelow: 0,
  cursor: 0,
  cursorSaved: 0,
})

async function operationsOf(batches: number): Promise<number> {
  const disk = createCrashDisk(new Map(), { at: -1, what: 'crash' })
  const wal = await openOn(disk)
  await work(wal, emptyLedger(), batches)
  await wal.close()
  return disk.operations()
}

test('a crash between any two operations loses nothing acknowledged and doubles nothing', async () => {
  const batches = 14
  const operations = await operationsOf(batches)
  assert.ok(operations > 60, `${operations}`)
  for (let at = 0; at < operations; at++) {
    for (let seed = 0; seed < 2; seed++) {
      const what = `crash at ${at}, seed ${seed}`
      const random = seeded(at * 1000 + seed)
      const ledger = emptyLedger()
      const disk = createCrashDisk(new Map(), { at, what: 'crash' })
      const opening = openOn(disk)
      const wal = await opening.catch(() => undefined)
      const ended = wal === undefined ? undefined : await endOf(wal, work(wal, ledger, batches), disk)
      assert.notEqual(ended, 'worked', what)
      // A second crash while recovering, then a calm start.
      const second = disk.restart(random, { at: Math.floor(random() * 4), what: 'crash' })
      const unlucky = await openOn(second).catch(() => undefined)
      await unlucky?.close()
      const third = second.restart(random)
      const recovered = await openOn(third)
      await check(recovered, ledger, what)
      await work(recovered, ledger, 4)
      await recovered.close()
      const last = await openOn(third.restart(random))
      await check(last, ledger, `${what}, after going on`)
      await last.close()
    }
  }
})

/** Work never rejects: after the crash it retries for ever, so it is closed. */
async function endOf(wal: Wal, working: Promise<void>, disk: CrashDisk): Promise<'worked' | 'crashed'> {
  const result = working.then(
    () => 'worked' as const,
    () => 'crashed' as const,
  )
  while (!disk.crashed()) {
    const turn = new Promise<'turn'>((resolve) => setImmediate(() => resolve('turn')))
    if ((await Promise.race([result, turn])) !== 'turn') break
  }
  await wal.close()
  return disk.crashed() ? 'crashed' : result
}

for (const what of ['EIO', 'ENOSPC'] as const) {
  test(`any single operation that fails with ${what} is got over, and a crash later still finds everything`, async () => {
    const batches = 14
    const operations = await operationsOf(batches)
    for (let at = 0; at < operations; at++) {
      const trouble: Trouble = { at, what }
      const disk = createCrashDisk(new Map(), trouble)
      const observer = watch()
      const ledger = emptyLedger()
      const wal = await openOn(disk, observer)
      for (let tries = 0; ledger.acknowledged < 20; tries++) {
        // Saving a cursor rejects (its owner tries later); appending never does.
        await work(wal, ledger, batches).catch((error: unknown) =>
          assert.equal((error as { code?: string }).code, what),
        )
        assert.ok(tries < 3)
      }
      const live = await readAll(wal)
      for (let n = Math.max(0, ledger.cursor); n < ledger.acknowledged; n++)
        assert.equal(live.get(n), `f${n}`, `${what} at ${at}`)
      await wal.close()
      const again = await openOn(disk.restart(seeded(at)))
      await check(again, ledger, `${what} at ${at}`)
      await again.close()
    }
  })
}
