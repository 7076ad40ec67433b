// Damage of any kind to a small journal: what is whole is kept through recovery and repair, what is lost is named, and a repaired journal is sound.
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadCursors, saveCursor } from '../../runtime/wal/cursor.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import { repairFolder } from '../../runtime/wal/repair.js'
import { walkFolder } from '../../runtime/wal/walk.js'
import { open, readAll, tempFolder, watch } from './folder.js'
import { frame, position, verify } from './frames.js'

const FRAMES = 4
/** A repair is tried at every so many bytes. */
const REPAIR_EVERY = 7
const NOW_MS = 1_000_000
const SEGMENT_BYTES = 900
const numbered = (n: number) => frame(`f${n}`, [`{"n":${n}}`], [position('a', n + 1)])

interface Segment {
  readonly path: string
  readonly bytes: Buffer
  /** Of its whole frames, where each ends. */
  readonly ends: ReadonlyMap<number, number>
}

/** Four frames in two segments, and a cursor. */
async function prepare(folder: string): Promise<Segment[]> {
  const wal = await open(folder, { segmentBytes: SEGMENT_BYTES, fsync: false })
  for (let n = 0; n < FRAMES; n++) await wal.append([numbered(n)])
  assert.equal(wal.segments(), 2)
  await wal.close()
  await saveCursor(nodeFiles, folder, 'es', { done: [[0, 2]], sent: [[0, 4]] })
  const { frames } = await walked(folder)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.seg')).sort()
  return Promise.all(
    names.map(async (name) => {
      const own = frames.filter(({ segment }) => segment === name)
      const ends = new Map(own.map(({ seq, offset, bytes }) => [seq, offset + bytes] as const))
      return { path: join(folder, name), bytes: await readFile(join(folder, name)), ends }
    }),
  )
}

async function walked(folder: string) {
  const frames: { seq: number; segment: string; offset: number; bytes: number; id: string }[] = []
  const { segments } = await walkFolder({
    folder,
    files: nodeFiles,
    verify,
    frame: ({ header, ...found }) => frames.push({ ...found, id: header.id }),
  })
  return { segments, frames, places: segments.flatMap(({ places }) => places) }
}

/** As `wal fsck --repair` does. */
async function repaired(folder: string): Promise<void> {
  const { segments } = await walked(folder)
  const corrupt = (await loadCursors(nodeFiles, folder)).filter((cursor) => cursor.corrupt)
  const backends = corrupt.map(({ backend }) => backend)
  await repairFolder({ folder, files: nodeFiles, verify, nowMs: NOW_MS }, segments, backends)
}

/** What a start finds. */
async function started(folder: string): Promise<Map<number, string>> {
  const wal = await open(folder, { segmentBytes: SEGMENT_BYTES, fsync: false, observer: watch() })
  try {
    const found = await readAll(wal)
    // It goes on: a frame that comes next has a number of its own, and is there.
    const seq = await wal.append([frame('next')])
    assert.ok(!found.has(seq), `number ${seq} is used twice`)
    assert.equal((await readAll(wal)).get(seq), 'next')
    return found
  } finally {
    await wal.close()
  }
}

async function restore(folder: string, segments: readonly Segment[]): Promise<void> {
  const kept = new Set(segments.map(({ path }) => path))
  for (const name of await readdir(folder))
    if (name.endsWith('.seg') && !kept.has(join(folder, name))) await nodeFiles.remove(join(folder, name))
  for (const { path, bytes } of segments) await writeFile(path, bytes)
  await saveCursor(nodeFiles, folder, 'es', { done: [[0, 2]], sent: [[0, 4]] })
}

for (const which of [0, 1]) {
  test(`segment ${which} cut at any of its bytes: each frame that is whole is found, before a repair and after it`, async (t) => {
    const folder = await tempFolder(t)
    const segments = await prepare(folder)
    const cutOne = segments[which] as Segment
    for (let cut = 0; cut < cutOne.bytes.length; cut++) {
      const isLost = (seq: number) => (cutOne.ends.get(seq) ?? 0) > cut
      const whole = Array.from({ length: FRAMES }, (_, seq) => seq).filter((seq) => !isLost(seq))
      const expected = whole.map((seq) => [seq, `f${seq}`])
      await writeFile(cutOne.path, cutOne.bytes.subarray(0, cut))
      if (cut % REPAIR_EVERY === 0) {
        await repaired(folder)
        const after = await walked(folder)
        const kept = after.frames.map(({ seq, id }) => [seq, id])
        assert.deepEqual(kept, expected, `repaired, cut at ${cut}`)
        assert.deepEqual(after.places, [], `sound after the repair, cut at ${cut}`)
      }
      assert.deepEqual([...(await started(folder))], expected, `started, cut at ${cut}`)
      await restore(folder, segments)
    }
  })
}

test('bits flipped anywhere: a frame without one is kept, one that is lost is told of, a repaired journal is sound', async (t) => {
  const folder = await tempFolder(t)
  const segments = await prepare(folder)
  const flip = fc.record({ segment: fc.nat(1), at: fc.nat(), bit: fc.nat(7) })
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 3 }), async (flips) => {
      const touched = new Set<number>()
      for (const { segment: n, at, bit } of flips) {
        const segment = segments[n] as Segment
        const place = at % segment.bytes.length
        const damaged = await readFile(segment.path)
        damaged[place] = (damaged[place] ?? 0) ^ (1 << bit)
        await writeFile(segment.path, damaged)
        const hit = [...segment.ends].find(([, end]) => place < end)?.[0]
        if (hit !== undefined) touched.add(hit)
      }
      try {
        const before = await walked(folder)
        const kept = before.frames.map(({ seq, id }) => [seq, id])
        for (const [seq, id] of kept) assert.equal(id, `f${seq}`)
        const lost = Array.from({ length: FRAMES }, (_, seq) => seq).filter(
          (seq) => !before.frames.some((found) => found.seq === seq),
        )
        assert.deepEqual(
          lost.filter((seq) => !touched.has(seq)),
          [],
          'frames that were not touched',
        )
        const told = before.places.reduce((sum, { frames }) => sum + frames, 0)
        assert.ok(
          told >= lost.length || before.places.some(({ kind }) => kind === 'torn_tail'),
          'lost, untold',
        )
        await repaired(folder)
        const after = await walked(folder)
        assert.deepEqual(
          after.frames.map(({ seq, id }) => [seq, id]),
          kept,
        )
        assert.deepEqual(after.places, [])
        assert.deepEqual([...(await started(folder))], kept)
      } finally {
        await restore(folder, segments)
      }
    }),
    { numRuns: 60 },
  )
})

test('a cursor with any bit flipped never stops a start, and never hides a frame that was not acknowledged', async (t) => {
  const folder = await tempFolder(t)
  await prepare(folder)
  const path = join(folder, 'es.cursor')
  const whole = await readFile(path)
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(path, damaged)
    const [cursor] = await loadCursors(nodeFiles, folder)
    // The last byte is a line break, which may be missing, or be anything that is none.
    const done = cursor?.corrupt === true ? [] : [[0, 2]]
    assert.deepEqual(cursor?.done, done, `bit ${at % 8} of byte ${at}`)
    assert.ok(cursor?.corrupt === true || at === whole.length - 1, `byte ${at}`)
  }
})
