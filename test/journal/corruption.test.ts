// Bad places in the middle of the journal cost only what they cover; cursors and headers that can't be read cost nothing but repetition.
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeCursor, encodeCursor, loadCursors } from '../../runtime/wal/cursor.js'
import { nodeFiles } from '../../runtime/wal/files.js'
import { createSeqSet } from '../../runtime/wal/seq-set.js'
import { open, readAll, tempFolder, watch } from './folder.js'
import { frame, position } from './frames.js'

const FRAMES = 12
const numbered = (n: number) =>
  frame(`f${n}`, [`{"n":${n}}`, `{"pad":"${'x'.repeat(300)}"}`], [position('a', n + 1)])

/** Twelve frames of two records in two segments; returns the segment files in order, with their bytes. */
async function prepare(folder: string): Promise<{ path: string; bytes: Buffer }[]> {
  const wal = await open(folder, { segmentBytes: 5000 })
  for (let n = 0; n < FRAMES; n++) await wal.append([numbered(n)])
  assert.equal(wal.segments(), 2)
  await wal.close()
  const names = (await readdir(folder)).filter((name) => name.endsWith('.seg')).sort()
  return Promise.all(
    names.map(async (name) => ({ path: join(folder, name), bytes: await readFile(join(folder, name)) })),
  )
}

async function reopened(folder: string) {
  const observer = watch()
  const wal = await open(folder, { segmentBytes: 5000, observer })
  const found = await readAll(wal)
  const positions = wal.positions('pods')
  await wal.close()
  return { found, places: observer.places, positions, tail: wal.tailSeq() }
}

test('positions that only an older segment holds outlive it when header or snapshot of the newest is broken', async (t) => {
  for (const at of [8, 45]) {
    const folder = await tempFolder(t)
    const wal = await open(folder, { segmentBytes: 5000 })
    await wal.append([frame('quiet', ['{"n":-1}'], [position('quiet', 7)])])
    for (let n = 0; n < FRAMES; n++) await wal.append([numbered(n)])
    await wal.close()
    const names = (await readdir(folder)).filter((name) => name.endsWith('.seg')).sort()
    assert.equal(names.length, 2)
    const newest = join(folder, names[1] as string)
    const bytes = await readFile(newest)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(newest, bytes)
    const again = await open(folder, { segmentBytes: 5000 })
    await again.trim(again.tailSeq())
    await again.close()
    const third = await open(folder, { segmentBytes: 5000 })
    const offsets = third.positions('pods').map(({ key, offset }) => [key, offset])
    assert.deepEqual(offsets, [
      ['quiet', 7],
      ['a', FRAMES],
    ])
    await third.close()
  }
})

test('one broken frame in the middle is skipped and counted with its records; all others keep their numbers', async (t) => {
  const folder = await tempFolder(t)
  const [first, last] = await prepare(folder)
  for (const segment of [first, last]) {
    if (segment === undefined) throw new Error('no segment')
    const broken = Buffer.from(segment.bytes)
    const id = segment === first ? 'f3' : 'f9'
    // In the body: the header stays readable.
    const at = broken.indexOf(`{"n":${id.slice(1)}}`)
    broken[at] = 0x58
    await writeFile(segment.path, broken)
    const { found, places, positions } = await reopened(folder)
    const expected = Array.from({ length: FRAMES }, (_, n) => [n, `f${n}`]).filter(([, name]) => name !== id)
    assert.deepEqual([...found], expected)
    assert.deepEqual(
      places.map(({ kind, frames, records, id: lost }) => ({ kind, frames, records, lost })),
      [{ kind: 'frame', frames: 1, records: 2, lost: id }],
    )
    assert.deepEqual(positions, [position('a', FRAMES)])
    await writeFile(segment.path, segment.bytes)
  }
})

test('any damage to any bytes never stops the rest, never invents a frame, never loops', async (t) => {
  const folder = await tempFolder(t)
  const segments = await prepare(folder)
  const damage = fc.record({
    segment: fc.nat(1),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 1500 }),
    how: fc.constantFrom('overwrite', 'insert', 'remove'),
  })
  await fc.assert(
    fc.asyncProperty(damage, async ({ segment: n, at, bytes, how }) => {
      const segment = segments[n] as { path: string; bytes: Buffer }
      const from = Math.floor(at * segment.bytes.length)
      const to = how === 'insert' ? from : Math.min(segment.bytes.length, from + bytes.length)
      const middle =
        how === 'remove' ? new Uint8Array(0) : bytes.subarray(0, how === 'insert' ? bytes.length : to - from)
      await writeFile(
        segment.path,
        Buffer.concat([segment.bytes.subarray(0, from), middle, segment.bytes.subarray(to)]),
      )
      try {
        const { found, tail } = await reopened(folder)
        for (const [seq, id] of found) assert.equal(id, `f${seq}`)
        // A frame is about 600 bytes: the damage touches few, and a broken segment header none.
        const touched = 2 + Math.ceil(bytes.length / 500)
        assert.ok(
          found.size >= FRAMES - touched,
          `${found.size} frames left, ${how} of ${bytes.length} at ${from}`,
        )
        assert.ok(tail >= FRAMES - touched && tail <= FRAMES)
      } finally {
        await writeFile(segment.path, segment.bytes)
      }
    }),
    { numRuns: 60 },
  )
})

test('a broken segment header or positions snapshot loses no frame and no position that an older segment knows', async (t) => {
  for (const [kind, at] of [
    ['segment_header', 3],
    ['positions', 45],
  ] as const) {
    const folder = await tempFolder(t)
    const [, last] = await prepare(folder)
    if (last === undefined) throw new Error('no segment')
    const broken = Buffer.from(last.bytes)
    broken[at] = (broken[at] as number) ^ 0xff
    await writeFile(last.path, broken)
    const { found, places, positions } = await reopened(folder)
    assert.equal(found.size, FRAMES)
    assert.deepEqual(
      places.map((place) => place.kind).filter((one) => one !== 'frame'),
      [kind],
    )
    assert.deepEqual(positions, [position('a', FRAMES)])
  }
})

test('sectors that the device cannot read are lost alone', async (t) => {
  const folder = await tempFolder(t)
  await prepare(folder)
  const bad = { from: 2000, to: 2100 }
  const files: typeof nodeFiles = {
    ...nodeFiles,
    async open(path, how) {
      const file = await nodeFiles.open(path, how)
      if (!path.endsWith('0000.seg') || how !== 'read') return file
      return {
        ...file,
        read(into, at) {
          const touches = at < bad.to && at + into.length > bad.from && at !== 0
          return touches
            ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
            : file.read(into, at)
        },
      }
    },
  }
  const wal = await open(folder, { files, observer: watch() })
  const found = await readAll(wal)
  // Reading is by sectors of 4 KiB: the whole bad one is gone, the rest of the segment and the next one are there.
  assert.ok(found.size >= 5 && found.size < FRAMES, `${found.size}`)
  for (const [seq, id] of found) assert.equal(id, `f${seq}`)
  await wal.close()
})

test('a cursor cut at any byte counts as empty, never as something else', async (t) => {
  const folder = await tempFolder(t)
  const done = [
    [0, 4711],
    [4713, 4720],
  ] as const
  const whole = encodeCursor('es', { done })
  assert.deepEqual(decodeCursor('es', whole), { done })
  const sent = [[0, 4736]] as const
  assert.deepEqual(decodeCursor('es', encodeCursor('es', { done, sent })), { done, sent })
  assert.equal(decodeCursor('loki', whole), undefined)
  for (let cut = 0; cut < whole.length; cut++) {
    await writeFile(join(folder, 'es.cursor'), whole.subarray(0, cut))
    const [cursor] = await loadCursors(nodeFiles, folder)
    // Only the final line break may be missing.
    const complete = cut === whole.length - 1
    assert.deepEqual(cursor, { backend: 'es', done: complete ? done : [], corrupt: !complete }, `${cut}`)
  }
  fc.assert(
    fc.property(fc.nat(whole.length - 2), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const broken = new Uint8Array(whole)
      broken[at] = (broken[at] as number) ^ flip
      assert.equal(decodeCursor('es', broken), undefined)
    }),
  )
})

test('a set of seqs behaves as a set', () => {
  const span = fc.tuple(fc.nat(60), fc.nat(12)).map(([from, length]) => [from, from + length] as const)
  fc.assert(
    fc.property(fc.array(span, { maxLength: 20 }), (spans) => {
      const set = createSeqSet()
      const plain = new Set<number>()
      for (const [from, to] of spans) {
        set.add(from, to)
        for (let seq = from; seq < to; seq++) plain.add(seq)
      }
      for (let seq = 0; seq < 80; seq++) {
        assert.equal(set.has(seq), plain.has(seq))
        let missing = seq
        while (plain.has(missing)) missing++
        assert.equal(set.nextMissing(seq), missing)
        assert.equal(
          set.missing(seq, 75),
          Math.max(0, 75 - seq - [...plain].filter((one) => one >= seq && one < 75).length),
        )
      }
      assert.equal(set.end(), Math.max(-1, ...plain) + 1)
      const ranges = set.ranges()
      assert.deepEqual(createSeqSet(ranges).ranges(), ranges)
      for (const [n, [from]] of ranges.entries()) assert.ok(n === 0 || from > (ranges[n - 1]?.[1] as number))
    }),
  )
})
