// What is kept of files that were read to their end: as long as one exists its position must survive, else a restart reads it again.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { watchFinishedFiles } from '../../actors/journal/finished-files.js'
import { identityOf, keyOf } from '../../actors/sources/tail/identity.js'
import type { Position } from '../../protocol/positions.js'
import { createPositionTable } from '../../runtime/wal/position-table.js'
import { createFakeClock } from './fake-clock.js'

const LOOK_MS = 5000
const SEGMENTS = 10

interface Scene {
  readonly folder: string
  readonly path: string
  readonly known: () => readonly Position[]
  /** Many segments go by, and as many looks at the files. */
  passTime(): Promise<void>
}

function finishedFile(t: TestContext): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-finished-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, '0.log.20260101-000000')
  const text = Buffer.from('2026-01-01T00:00:00Z stdout F one line\n'.repeat(50))
  writeFileSync(path, text)
  const { dev, ino } = statSync(path)
  const identity = identityOf(dev, ino, text.subarray(0, 1024))
  const table = createPositionTable()
  const file = { kind: 'file', source: 'pods', key: keyOf(identity), path, identity } as const
  table.apply([{ ...file, offset: text.length, done: true }])
  const clock = createFakeClock(undefined, () => Promise.resolve())
  const wal = { stalePositions: () => table.stale(), settlePosition: table.settle }
  t.after(watchFinishedFiles({ wal, clock }))
  return {
    folder,
    path,
    known: () => table.of('pods'),
    async passTime() {
      for (let n = 0; n < SEGMENTS; n++) {
        table.rotate()
        await clock.advance(LOOK_MS)
      }
    },
  }
}

test('a rotated file that is still there is known however many segments have gone by', async (t) => {
  const scene = finishedFile(t)
  await scene.passTime()
  assert.equal(scene.known().length, 1)
  renameSync(scene.path, join(scene.folder, '0.log.20260101-000001'))
  await scene.passTime()
  assert.equal(scene.known().length, 1, 'under another name')
})

test('a rotated file that was packed is known as long as the packed one is there', async (t) => {
  const { folder, path, known, passTime } = finishedFile(t)
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path)))
  writeFileSync(join(folder, 'other.gz'), gzipSync('of another log\n'))
  rmSync(path)
  await passTime()
  assert.equal(known().length, 1)
  rmSync(`${path}.gz`)
  await passTime()
  assert.equal(known().length, 0, 'then it is forgotten, so that the positions do not grow without end')
})

test('a look that takes long does not keep commits waiting, and each look gets on', async () => {
  const clock = createFakeClock(undefined, () => Promise.resolve())
  const identity = identityOf(1, 1, Buffer.from('gone'))
  let stale = Array.from({ length: 40 }, (_, n): Position => {
    const path = `/nowhere/${n}.log`
    return { kind: 'file', source: 'pods', key: `${n}`, path, identity, offset: 1, done: true }
  })
  let tookMs = 0
  const wal = {
    stalePositions() {
      tookMs = 0
      return stale
    },
    settlePosition: (position: Position) => void (stale = stale.filter((each) => each !== position)),
  }
  // Each file costs so much.
  const slow = { ...clock, monotonic: () => clock.monotonic() + (tookMs += 8) }
  const end = watchFinishedFiles({ wal, clock: slow })
  await clock.advance(LOOK_MS)
  assert.ok(tookMs <= 40, `${tookMs} ms`)
  assert.equal(stale.length, 40, 'missed once')
  await clock.advance(LOOK_MS)
  assert.ok(tookMs <= 40, `${tookMs} ms`)
  assert.ok(stale.length < 40)
  for (let looks = 0; looks < 80 && stale.length > 0; looks++) await clock.advance(LOOK_MS)
  assert.equal(stale.length, 0)
  end()
})

test('a finished file whose folder is gone is forgotten', async (t) => {
  const { folder, known, passTime } = finishedFile(t)
  renameSync(folder, `${folder}-away`)
  t.after(() => rmSync(`${folder}-away`, { recursive: true, force: true }))
  // A file in the folder's place: nothing there is the log any more.
  writeFileSync(folder, '')
  await passTime()
  assert.equal(known().length, 0)
})
