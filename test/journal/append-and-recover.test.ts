// Frames that were acknowledged are there after any end, with their positions, and only once.
import assert from 'node:assert/strict'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { frame, position, type TestFrame } from './frames.js'
import { open, readAll, tempFolder, watch } from './folder.js'

const ids = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => [from + n, `f${from + n}`] as const)
const frames = (count: number, from = 0): TestFrame[] =>
  ids(count, from).map(([n, id]) =>
    frame(id, [`{"n":${n},"pad":"${'x'.repeat(500)}"}`], [position('a', n + 1)]),
  )

test('frames and positions survive a restart, over several segments', async (t) => {
  const folder = await tempFolder(t)
  const first = await open(folder, { segmentBytes: 4096 })
  assert.equal(await first.append(frames(3)), 0)
  for (const one of frames(20, 3)) await first.append([one])
  assert.ok(first.segments() > 3)
  assert.deepEqual([...(await readAll(first))], ids(23))
  await first.close()
  const observer = watch()
  const second = await open(folder, { segmentBytes: 4096, observer })
  assert.equal(second.tailSeq(), 23)
  assert.deepEqual([...(await readAll(second))], ids(23))
  assert.deepEqual(second.positions('pods'), [position('a', 23)])
  assert.deepEqual(second.positions('other'), [])
  assert.equal(await second.append(frames(1, 23)), 23)
  assert.deepEqual([...(await readAll(second))], ids(24))
  assert.deepEqual(observer.places, [])
  await second.close()
})

test('a torn tail is cut at every byte, and what was whole before it stays', async (t) => {
  const folder = await tempFolder(t)
  const wal = await open(folder)
  await wal.append(frames(2))
  const goodBytes = wal.bytes()
  await wal.append([frame('torn', ['{"n":2}'], [position('a', 3)])])
  await wal.close()
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.seg'))
  const path = join(folder, name as string)
  const whole = await readFile(path)
  for (let cut = goodBytes; cut < whole.length; cut++) {
    await writeFile(path, whole.subarray(0, cut))
    const observer = watch()
    const again = await open(folder, { observer, fsync: false })
    assert.equal(again.tailSeq(), 2)
    assert.deepEqual(again.positions('pods'), [position('a', 2)])
    assert.deepEqual(
      observer.places.map(({ kind, offset, bytes }) => ({ kind, offset, bytes })),
      cut === goodBytes ? [] : [{ kind: 'torn_tail', offset: goodBytes, bytes: cut - goodBytes }],
    )
    // What comes next must not stand behind torn bytes.
    await again.append([frame('next')])
    await again.close()
    const third = await open(folder)
    assert.deepEqual([...(await readAll(third))], [...ids(2), [2, 'next']])
    await third.close()
  }
})

test('a disk that forgot acknowledged frames does not get their numbers used again', async (t) => {
  const folder = await tempFolder(t)
  const wal = await open(folder)
  await wal.append(frames(5))
  const afterTwo = wal.bytes()
  await wal.append(frames(5, 5))
  await wal.saveCursors(new Map([['es', { done: [[0, 9]] }]]))
  await wal.close()
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.seg'))
  await truncate(join(folder, name as string), afterTwo)
  const again = await open(folder)
  assert.equal(again.tailSeq(), 9)
  assert.equal(await again.append([frame('new')]), 9)
  assert.deepEqual([...(await readAll(again))], [...ids(5), [9, 'new']])
  await again.close()
  const third = await open(folder)
  assert.deepEqual([...(await readAll(third))], [...ids(5), [9, 'new']])
  await third.close()
})

test('positions of files that are done are asked about after two segments and forgotten when the files are gone', async (t) => {
  const folder = await tempFolder(t)
  const wal = await open(folder, { segmentBytes: 1024 })
  await wal.append([frame('a', ['{}'], [position('gone', 7, { done: true }), position('kept', 9)])])
  const keys = () => wal.positions('pods').map(({ key }) => key)
  assert.deepEqual(keys(), ['gone', 'kept'])
  const asked = () => wal.stalePositions().map(({ key }) => key)
  async function nextSegment(): Promise<void> {
    const segments = wal.segments()
    while (wal.segments() === segments) await wal.append([frame('b', [`{"pad":"${'x'.repeat(400)}"}`])])
  }
  await nextSegment()
  assert.deepEqual(asked(), [])
  await nextSegment()
  assert.deepEqual(asked(), ['gone'])
  const [gone] = wal.stalePositions()
  if (gone !== undefined) wal.settlePosition(gone, true)
  assert.deepEqual(
    [keys(), asked()],
    [['gone', 'kept'], []],
    'it still exists: asked again two segments later',
  )
  await nextSegment()
  await nextSegment()
  assert.deepEqual(asked(), ['gone'])
  if (gone !== undefined) wal.settlePosition(gone, false)
  await nextSegment()
  assert.deepEqual(keys(), ['kept'])
  await wal.close()
  const again = await open(folder, { segmentBytes: 1024 })
  assert.deepEqual(again.positions('pods'), [position('kept', 9)])
  await again.close()
})

test('segments go when everything in them is done, the growing one stays', async (t) => {
  const folder = await tempFolder(t)
  const wal = await open(folder, { segmentBytes: 2048 })
  await wal.append(frames(1))
  for (const one of frames(9, 1)) await wal.append([one])
  const before = wal.segments()
  await wal.trim(5)
  assert.ok(wal.segments() < before && wal.oldestSeq() <= 5)
  await wal.trim(10)
  assert.equal(wal.segments(), 1)
  const left = (await readdir(folder)).filter((name) => name.endsWith('.seg'))
  assert.equal(left.length, 1)
  const reader = wal.reader()
  assert.deepEqual(await reader.read(0), { kind: 'lost', fromSeq: 0, toSeq: wal.oldestSeq() })
  await reader.close()
  await wal.close()
})
