// Container logs through rotation, restart and deletion: every line once, in order.
import assert from 'node:assert/strict'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { FilePosition } from '../../protocol/positions.js'
import { criLines, POD } from './folders.js'
import { BEGUN, ended, has, numbers, upTo, sourcesFixture } from './fixture.js'

const LOG = `${POD}/app/0.log`
const fixture = sourcesFixture()

test('the path says what the records may not: namespace, pod, container, node', async () => {
  fixture.folder.write(LOG, criLines(0, 3))
  const bench = await fixture.pods({ node_name: 'worker-7' })
  await has(bench, 3)
  const origin = bench.announced[0]?.origin
  assert.deepEqual(origin?.trusted, {
    namespace: 'shop',
    pod_uid: '0f1e2d3c-0000-4000-8000-000000000001',
    pod_name: 'cart-7d9c5b8f6d-x2k4p',
    container_name: 'app',
    node_name: 'worker-7',
  })
  assert.equal(origin?.fallback.service_name, 'cart')
  assert.equal(origin?.format, 'cri')
  assert.equal(origin?.joinKey, 'pods:0f1e2d3c-0000-4000-8000-000000000001/app/0')
})

test('a rotation while running: the old file is read to its end before the new one', async () => {
  fixture.folder.write(LOG, criLines(0, 10))
  const bench = await fixture.pods()
  await has(bench, 10)
  fixture.folder.append(LOG, criLines(10, 5))
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.write(LOG, criLines(15, 5))
  await has(bench, 20)
  await bench.until(() => bench.closed.length === 1, 'the old file is closed')
  assert.deepEqual(numbers(bench), upTo(20))
  assert.equal(bench.closed[0]?.done, true)
})

test('a record split across a rotation goes on in the next file of its container', async () => {
  fixture.folder.write(LOG, criLines(0, 1) + criLines(1, 1, 'P'))
  const bench = await fixture.pods()
  await has(bench, 2)
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.write(LOG, criLines(2, 1))
  await has(bench, 3)
  // Not `last`: the open partial must not end with its file; and closed before the next begins.
  assert.ok(bench.slabs.every((slab) => slab.last !== true))
  const closedAt = bench.story.findIndex((line) => line.startsWith('closed'))
  const nextAt = bench.story.findLastIndex((line) => line.startsWith('origin'))
  assert.ok(closedAt > 0 && closedAt < nextAt, bench.story.join('\n'))
  const [first, second] = bench.announced
  assert.equal(first?.origin.joinKey, second?.origin.joinKey)
})

test('a rotation faster than the scan: no file in between is missed', async () => {
  fixture.folder.write(LOG, criLines(0, 10))
  const bench = await fixture.pods({ rescan: 100 })
  await has(bench, 10)
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.write(LOG, criLines(10, 10))
  fixture.folder.rename(LOG, `${LOG}.20261123-101113`)
  fixture.folder.write(LOG, criLines(20, 10))
  fixture.folder.rename(LOG, `${LOG}.20261123-101114`)
  fixture.folder.gzip(`${LOG}.20261123-101112`)
  fixture.folder.gzip(`${LOG}.20261123-101113`)
  fixture.folder.write(LOG, criLines(30, 10))
  await has(bench, 40)
  assert.deepEqual(numbers(bench), upTo(40))
})

test('rotated files that were not read before a restart are read after it, from where they were', async () => {
  fixture.folder.write(LOG, criLines(0, 10))
  const before = await fixture.pods()
  await has(before, 10)
  await before.stop()
  fixture.folder.append(LOG, criLines(10, 10))
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.write(`${LOG}.20261123-101113`, criLines(20, 10))
  fixture.folder.write(LOG, criLines(30, 10))
  const bench = await fixture.pods({}, before.positions())
  await has(bench, 30)
  assert.deepEqual(numbers(bench), upTo(40).slice(10))
  await bench.until(() => bench.closed.length === 2, 'both rotated files are done')
  const key = before.positions()[0]?.key
  assert.equal(bench.positions().find((position) => position.key === key)?.done, true)
})

test('a file gzipped during a downtime goes on at the decompressed offset', async () => {
  fixture.folder.write(LOG, criLines(0, 1000))
  const before = await fixture.pods()
  await has(before, 1000)
  await before.stop()
  fixture.folder.append(LOG, criLines(1000, 500))
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.gzip(`${LOG}.20261123-101112`)
  fixture.folder.write(LOG, criLines(1500, 10))
  const bench = await fixture.pods({}, before.positions())
  await has(bench, 510)
  assert.deepEqual(numbers(bench), upTo(1510).slice(1000))
  assert.equal(bench.announced[0]?.origin.file?.key, before.positions()[0]?.key)
})

test('a file that was read and then gzipped is not read again', async () => {
  fixture.folder.write(LOG, criLines(0, 100))
  const bench = await fixture.pods()
  await has(bench, 100)
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.write(LOG, criLines(100, 1))
  await has(bench, 101)
  await bench.until(() => bench.closed.length === 1, 'closed')
  fixture.folder.gzip(`${LOG}.20261123-101112`)
  fixture.folder.append(LOG, criLines(101, 1))
  await has(bench, 102)
  await bench.stop()
  const again = await fixture.pods({}, bench.positions())
  fixture.folder.append(LOG, criLines(102, 1))
  await has(again, 1)
  assert.deepEqual(numbers(again), [102])
})

test('temporary and half-written files of the kubelet are left alone', async () => {
  fixture.folder.write(LOG, criLines(0, 1))
  fixture.folder.write(`${LOG}.20261123-101112`, criLines(0, 1))
  fixture.folder.write(`${LOG}.20261123-101112.gz`, 'half')
  fixture.folder.write(`${LOG}.20261123-101110.tmp`, criLines(7, 1))
  const bench = await fixture.pods({}, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench), [0, 0])
})

test('a corrupt gzip file is counted and read as far as it goes', async () => {
  const packed = gzipSync(criLines(0, 20_000))
  fixture.folder.write(LOG, criLines(20_000, 1))
  writeFileSync(fixture.folder.path(`${LOG}.20261123-101112.gz`), packed.subarray(0, packed.length >> 1))
  const bench = await fixture.pods()
  await bench.until(() => numbers(bench).includes(20_000), 'the live file')
  const read = numbers(bench).filter((n) => n < 20_000)
  assert.ok(read.length > 5_000, `${read.length} lines`)
  assert.equal(bench.metric('source_errors_total', { source: 'pods', reason: 'gzip' }), 1)
})

test('a deleted container is read to its end and let go', async () => {
  fixture.folder.write(LOG, `${criLines(0, 5)}2026-11-23T10:00:01Z stderr F last wor`)
  const bench = await fixture.pods()
  await has(bench, 5)
  rmSync(fixture.folder.path(POD), { recursive: true })
  await bench.until(() => bench.closed.length === 1, 'closed')
  assert.equal(bench.slabs.at(-1)?.last, true)
  assert.match(bench.slabs.at(-1)?.text ?? '', /last wor$/)
  assert.equal(bench.closed[0]?.done, true)
  await bench.until(() => bench.metric('files_open', { source: 'pods' }) === 0, 'no descriptor held')
})

test('an inode that is used again by another file is another file', async () => {
  fixture.folder.write(LOG, criLines(0, 50))
  const before = await fixture.pods()
  await has(before, 50)
  await before.stop()
  const [position] = before.positions()
  const other = `${POD}/side/0.log`
  fixture.folder.write(other, criLines(100, 60))
  rmSync(fixture.folder.path(LOG))
  const { dev, ino } = statSync(fixture.folder.path(other))
  const reused = { ...position, identity: { ...position?.identity, dev, ino } } as FilePosition
  const bench = await fixture.pods({}, [reused])
  await has(bench, 60)
  assert.equal(numbers(bench)[0], 100)
})

test('two files with an equal beginning are both read', async () => {
  const text = criLines(0, 40)
  fixture.folder.write(LOG, text)
  fixture.folder.write(`${POD}/side/0.log`, text)
  const bench = await fixture.pods()
  await has(bench, 80)
  assert.equal(new Set(bench.announced.map(({ origin }) => origin.file?.key)).size, 2)
})

test('a short file keeps its place when it has grown beyond its first identity', async () => {
  fixture.folder.write(LOG, criLines(0, 1))
  const bench = await fixture.pods()
  await has(bench, 1)
  fixture.folder.append(LOG, criLines(1, 100))
  await has(bench, 101)
  const [position] = bench.positions()
  assert.equal(position?.identity.headBytes, 1024)
  await bench.stop()
  fixture.folder.append(LOG, criLines(101, 1))
  const again = await fixture.pods({}, bench.positions())
  await has(again, 1)
  assert.deepEqual(numbers(again), [101])
})

test('a damaged position is counted and does not skip a line', async () => {
  fixture.folder.write(LOG, criLines(0, 5))
  const before = await fixture.pods()
  await has(before, 5)
  await before.stop()
  const damaged = before.positions().map((position) => ({ ...position, offset: Number.NaN }))
  const bench = await fixture.pods({}, damaged)
  await has(bench, 5)
  assert.equal(bench.metric('source_errors_total', { source: 'pods', reason: 'position' }), 1)
})

test('a record begun in a file that is gone is handed on, and ends when nothing follows', async () => {
  fixture.folder.write(LOG, criLines(0, 2))
  const before = await fixture.pods()
  await has(before, 2)
  await before.stop()
  rmSync(fixture.folder.path(LOG))
  const carry = [BEGUN]
  const bench = await fixture.pods(
    {},
    before.positions().map((position) => ({ ...position, carry })),
  )
  await bench.until(() => bench.closed.length === 1, 'closed')
  assert.deepEqual(bench.announced[0]?.carry, carry)
  assert.equal(bench.slabs[0]?.last, true)
})

test('with read_from end what exists is skipped, and no record begins inside a line', async () => {
  fixture.folder.write(LOG, `${criLines(0, 5)}2026-11-23T10:00:00Z stdout F unfin`)
  fixture.folder.write(`${LOG}.20261123-101112`, criLines(50, 5))
  fixture.folder.write(`${LOG}.20261123-101111`, criLines(40, 5))
  fixture.folder.gzip(`${LOG}.20261123-101111`)
  const bench = await fixture.pods({ read_from: 'end' })
  await bench.until(
    () => bench.positions().filter(({ offset }) => offset > 0).length === 3,
    'the positions are told',
  )
  fixture.folder.append(LOG, `ished 7\n${criLines(8, 2)}`)
  await has(bench, 2)
  assert.deepEqual(numbers(bench), [8, 9])
  await bench.stop()
  fixture.folder.write(`${POD}/side/0.log`, criLines(20, 1))
  const again = await fixture.pods({ read_from: 'end' }, bench.positions())
  await has(again, 1)
  assert.deepEqual(numbers(again), [20])
})

test('a late line in a rotated file that was finished is still read', async () => {
  fixture.folder.write(LOG, criLines(0, 1))
  const bench = await fixture.pods()
  await has(bench, 1)
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.write(LOG, criLines(1, 1))
  await bench.until(() => bench.closed.length === 1, 'closed')
  fixture.folder.append(`${LOG}.20261123-101112`, criLines(2, 1))
  await has(bench, 3)
  assert.deepEqual(numbers(bench).sort(), upTo(3))
  assert.equal(readFileSync(fixture.folder.path(LOG), 'utf8'), criLines(1, 1))
})
