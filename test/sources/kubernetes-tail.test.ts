// Container logs through rotation, restart and deletion: every line once, in order.
import assert from 'node:assert/strict'
import { rmSync, writeFileSync, chmodSync, mkdirSync, symlinkSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { kubernetesSource } from '../../actors/sources/kubernetes.js'
import { kubernetesSource as schema } from '../../protocol/config/sources.js'
import type { Carry, FilePosition } from '../../protocol/positions.js'
import { createBench, RECORDS, type Bench, type BenchOptions } from './bench.js'
import { criLines, logFolder, POD, type LogFolder } from './folders.js'

const LOG = `${POD}/app/0.log`
let folder: LogFolder
let benches: Bench[] = []

beforeEach(() => {
  folder = logFolder()
})
afterEach(async () => {
  for (const bench of benches) await bench.stop()
  benches = []
  folder.remove()
})

async function source(
  options: Record<string, unknown> = {},
  positions?: readonly FilePosition[],
  bench: BenchOptions = {},
) {
  const made = createBench({ name: 'pods', ...bench })
  benches.push(made)
  const quick = { poll: 10, rescan: 20, line_wait_max: 200 }
  const parsed = {
    ...schema.parse({ type: 'kubernetes', path: folder.root, api: 'off' }),
    ...quick,
    ...options,
  }
  await made.start(
    kubernetesSource(made.context, { name: 'pods', options: parsed, records: RECORDS }),
    positions,
  )
  return made
}

const numbers = (bench: Bench): number[] => bench.lines().map((line) => Number(line.split(' ').at(-1)))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const has = (bench: Bench, count: number) =>
  bench.until(() => bench.lines().length >= count, `${count} lines`)

test('the path says what the records may not: namespace, pod, container, node', async () => {
  folder.write(LOG, criLines(0, 3))
  const bench = await source({ node_name: 'worker-7' })
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
  assert.equal(origin?.joinKey, '0f1e2d3c-0000-4000-8000-000000000001/app/0')
})

test('a rotation while running: the old file is read to its end before the new one', async () => {
  folder.write(LOG, criLines(0, 10))
  const bench = await source()
  await has(bench, 10)
  folder.append(LOG, criLines(10, 5))
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.write(LOG, criLines(15, 5))
  await has(bench, 20)
  await bench.until(() => bench.closed.length === 1, 'the old file is closed')
  assert.deepEqual(numbers(bench), upTo(20))
  assert.equal(bench.closed[0]?.done, true)
})

test('a record split across a rotation goes on in the next file of its container', async () => {
  folder.write(LOG, criLines(0, 1) + criLines(1, 1, 'P'))
  const bench = await source()
  await has(bench, 2)
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.write(LOG, criLines(2, 1))
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
  folder.write(LOG, criLines(0, 10))
  const bench = await source({ rescan: 100 })
  await has(bench, 10)
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.write(LOG, criLines(10, 10))
  folder.rename(LOG, `${LOG}.20261123-101113`)
  folder.write(LOG, criLines(20, 10))
  folder.rename(LOG, `${LOG}.20261123-101114`)
  folder.gzip(`${LOG}.20261123-101112`)
  folder.gzip(`${LOG}.20261123-101113`)
  folder.write(LOG, criLines(30, 10))
  await has(bench, 40)
  assert.deepEqual(numbers(bench), upTo(40))
})

test('rotated files that were not read before a restart are read after it, from where they were', async () => {
  folder.write(LOG, criLines(0, 10))
  const before = await source()
  await has(before, 10)
  await before.stop()
  folder.append(LOG, criLines(10, 10))
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.write(`${LOG}.20261123-101113`, criLines(20, 10))
  folder.write(LOG, criLines(30, 10))
  const bench = await source({}, before.positions())
  await has(bench, 30)
  assert.deepEqual(numbers(bench), upTo(40).slice(10))
  await bench.until(() => bench.closed.length === 2, 'both rotated files are done')
  const key = before.positions()[0]?.key
  assert.equal(bench.positions().find((position) => position.key === key)?.done, true)
})

test('a file gzipped during a downtime goes on at the decompressed offset', async () => {
  folder.write(LOG, criLines(0, 1000))
  const before = await source()
  await has(before, 1000)
  await before.stop()
  folder.append(LOG, criLines(1000, 500))
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.gzip(`${LOG}.20261123-101112`)
  folder.write(LOG, criLines(1500, 10))
  const bench = await source({}, before.positions())
  await has(bench, 510)
  assert.deepEqual(numbers(bench), upTo(1510).slice(1000))
  assert.equal(bench.announced[0]?.origin.file?.key, before.positions()[0]?.key)
})

test('a file that was read and then gzipped is not read again', async () => {
  folder.write(LOG, criLines(0, 100))
  const bench = await source()
  await has(bench, 100)
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.write(LOG, criLines(100, 1))
  await has(bench, 101)
  await bench.until(() => bench.closed.length === 1, 'closed')
  folder.gzip(`${LOG}.20261123-101112`)
  folder.append(LOG, criLines(101, 1))
  await has(bench, 102)
  await bench.stop()
  const again = await source({}, bench.positions())
  folder.append(LOG, criLines(102, 1))
  await has(again, 1)
  assert.deepEqual(numbers(again), [102])
})

test('temporary and half-written files of the kubelet are left alone', async () => {
  folder.write(LOG, criLines(0, 1))
  folder.write(`${LOG}.20261123-101112`, criLines(0, 1))
  folder.write(`${LOG}.20261123-101112.gz`, 'half')
  folder.write(`${LOG}.20261123-101110.tmp`, criLines(7, 1))
  const bench = await source({}, [], { once: true })
  await bench.until(() => bench.other.some((message) => message.type === 'end_of_input'), 'end')
  assert.deepEqual(numbers(bench), [0, 0])
})

test('a corrupt gzip file is counted and read as far as it goes', async () => {
  const packed = gzipSync(criLines(0, 20_000))
  folder.write(LOG, criLines(20_000, 1))
  writeFileSync(folder.path(`${LOG}.20261123-101112.gz`), packed.subarray(0, packed.length >> 1))
  const bench = await source()
  await bench.until(() => numbers(bench).includes(20_000), 'the live file')
  const read = numbers(bench).filter((n) => n < 20_000)
  assert.ok(read.length > 5_000, `${read.length} lines`)
  assert.equal(bench.metric('source_errors_total', { source: 'pods', reason: 'gzip' }), 1)
})

test('a deleted container is read to its end and let go', async () => {
  folder.write(LOG, `${criLines(0, 5)}2026-11-23T10:00:01Z stderr F last wor`)
  const bench = await source()
  await has(bench, 5)
  rmSync(folder.path(POD), { recursive: true })
  await bench.until(() => bench.closed.length === 1, 'closed')
  assert.equal(bench.slabs.at(-1)?.last, true)
  assert.match(bench.slabs.at(-1)?.text ?? '', /last wor$/)
  assert.equal(bench.closed[0]?.done, true)
  await bench.until(() => bench.metric('files_open', { source: 'pods' }) === 0, 'no descriptor held')
})

test('an inode that is used again by another file is another file', async () => {
  folder.write(LOG, criLines(0, 50))
  const before = await source()
  await has(before, 50)
  await before.stop()
  const [position] = before.positions()
  const other = `${POD}/side/0.log`
  folder.write(other, criLines(100, 60))
  rmSync(folder.path(LOG))
  const { dev, ino } = await import('node:fs').then(({ statSync }) => statSync(folder.path(other)))
  const reused = { ...position, identity: { ...position?.identity, dev, ino } } as FilePosition
  const bench = await source({}, [reused])
  await has(bench, 60)
  assert.equal(numbers(bench)[0], 100)
})

test('two files with an equal beginning are both read', async () => {
  const text = criLines(0, 40)
  folder.write(LOG, text)
  folder.write(`${POD}/side/0.log`, text)
  const bench = await source()
  await has(bench, 80)
  assert.equal(new Set(bench.announced.map(({ origin }) => origin.file?.key)).size, 2)
})

test('a short file keeps its place when it has grown beyond its first identity', async () => {
  folder.write(LOG, criLines(0, 1))
  const bench = await source()
  await has(bench, 1)
  folder.append(LOG, criLines(1, 100))
  await has(bench, 101)
  const [position] = bench.positions()
  assert.equal(position?.identity.headBytes, 1024)
  await bench.stop()
  folder.append(LOG, criLines(101, 1))
  const again = await source({}, bench.positions())
  await has(again, 1)
  assert.deepEqual(numbers(again), [101])
})

test('a damaged position is counted and does not skip a line', async () => {
  folder.write(LOG, criLines(0, 5))
  const before = await source()
  await has(before, 5)
  await before.stop()
  const damaged = before.positions().map((position) => ({ ...position, offset: Number.NaN }))
  const bench = await source({}, damaged)
  await has(bench, 5)
  assert.equal(bench.metric('source_errors_total', { source: 'pods', reason: 'position' }), 1)
})

test('a record begun in a file that is gone is handed on, and ends when nothing follows', async () => {
  folder.write(LOG, criLines(0, 2))
  const before = await source()
  await has(before, 2)
  await before.stop()
  rmSync(folder.path(LOG))
  const carry: Carry[] = [
    {
      stream: 'stdout',
      tsNs: '1',
      tsDigits: 9,
      lines: 1,
      bytes: Buffer.from('begun '),
      truncated: false,
      kind: 'partial',
    },
  ]
  const bench = await source(
    {},
    before.positions().map((position) => ({ ...position, carry })),
  )
  await bench.until(() => bench.closed.length === 1, 'closed')
  assert.deepEqual(bench.announced[0]?.carry, carry)
  assert.equal(bench.slabs[0]?.last, true)
})

test('folders, pipes, loops and malformed names are counted, and the rest is read', async (t) => {
  folder.write(LOG, criLines(0, 1))
  mkdirSync(folder.path(`${POD}/app/1.log`))
  symlinkSync('2.log', folder.path(`${POD}/app/2.log`))
  mkdirSync(folder.path('not-a-pod'))
  mkdirSync(folder.path(`${POD}/..evil`))
  symlinkSync(folder.root, folder.path('shop_loop_0f1e2d3c-0000-4000-8000-000000000009'))
  const denied = folder.write(`${POD}/app/3.log`, criLines(0, 1))
  chmodSync(denied, 0)
  const bench = await source()
  await has(bench, 1)
  const count = (reason: string): number => bench.metric('source_errors_total', { source: 'pods', reason })
  await bench.until(() => count('EISDIR') === 1, 'a folder')
  assert.equal(count('ELOOP'), 1)
  assert.ok(count('malformed_path') >= 2)
  if (process.getuid?.() === 0) t.diagnostic('root reads everything: EACCES is not tried')
  else assert.equal(count('EACCES'), 1)
})

test('a line longer than the slab is cut, and reading goes on behind it', async () => {
  const long = `2026-11-23T10:00:00Z stdout F ${'x'.repeat(2_000_000)}\n`
  folder.write(LOG, criLines(0, 1) + long + criLines(1, 1))
  const bench = await source()
  await bench.until(() => bench.slabs.some((slab) => slab.text.includes('line 1')), 'the line behind')
  const cut = bench.slabs.find((slab) => slab.cut)
  assert.equal(cut?.bytes.length, RECORDS.line_bytes_max)
  assert.equal(cut?.endOffset, criLines(0, 1).length + long.length)
  assert.equal(bench.slabs.at(-1)?.offset, cut?.endOffset)
  folder.append(LOG, long.slice(0, -1))
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.gzip(`${LOG}.20261123-101112`)
  await bench.until(() => bench.closed.length === 1, 'closed')
  const again = await source({}, [], { once: true })
  await again.until(() => again.closed.length === 1, 'closed')
  assert.deepEqual(
    again.slabs.map(({ offset, endOffset, cut: isCut }) => [offset, endOffset, isCut === true]),
    bench.slabs.map(({ offset, endOffset, cut: isCut }) => [offset, endOffset, isCut === true]),
  )
  assert.equal(again.slabs.map(({ text }) => text).join(''), bench.slabs.map(({ text }) => text).join(''))
})

test('with read_from end what exists is skipped, and no record begins inside a line', async () => {
  folder.write(LOG, `${criLines(0, 5)}2026-11-23T10:00:00Z stdout F unfin`)
  folder.write(`${LOG}.20261123-101112`, criLines(50, 5))
  folder.write(`${LOG}.20261123-101111`, criLines(40, 5))
  folder.gzip(`${LOG}.20261123-101111`)
  const bench = await source({ read_from: 'end' })
  await bench.until(
    () => bench.positions().filter(({ offset }) => offset > 0).length === 3,
    'the positions are told',
  )
  folder.append(LOG, `ished 7\n${criLines(8, 2)}`)
  await has(bench, 2)
  assert.deepEqual(numbers(bench), [8, 9])
  await bench.stop()
  folder.write(`${POD}/side/0.log`, criLines(20, 1))
  const again = await source({ read_from: 'end' }, bench.positions())
  await has(again, 1)
  assert.deepEqual(numbers(again), [20])
})

test('with flow closed nothing is read, and nothing is lost', async () => {
  folder.write(LOG, criLines(0, 60_000))
  const made: { close?: () => void } = {}
  const bench = await source({}, [], { onSlab: () => made.close?.() })
  let slabsWhenClosed = 0
  made.close = () => {
    if (slabsWhenClosed > 0) return
    slabsWhenClosed = bench.slabs.length
    bench.actor().on.flow?.({ type: 'flow', open: false }, 'sample')
  }
  await bench.until(() => slabsWhenClosed > 0, 'closed')
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.ok(bench.slabs.length <= slabsWhenClosed + 1)
  bench.actor().on.flow?.({ type: 'flow', open: true }, 'sample')
  await has(bench, 60_000)
  assert.deepEqual(numbers(bench), upTo(60_000))
})

test('files beyond the bound wait for their turn, and get it', async () => {
  for (let n = 0; n < 6; n++) folder.write(`${POD}/c${n}/0.log`, criLines(n, 1))
  const bench = await source({ files_max: 2, line_wait_max: 30 })
  await has(bench, 6)
  assert.deepEqual(numbers(bench).sort(), upTo(6))
  assert.ok(bench.metric('files_open', { source: 'pods' }) <= 2)
  folder.append(`${POD}/c0/0.log`, criLines(6, 1))
  await has(bench, 7)
  assert.deepEqual(numbers(bench).sort(), upTo(7))
})

test('once: everything is read, unfinished last lines too, and the end is told once', async () => {
  folder.write(LOG, criLines(3, 2) + criLines(5, 1).trimEnd())
  folder.write(`${LOG}.20261123-101113`, criLines(2, 1))
  folder.write(`${LOG}.20261123-101112`, criLines(0, 2))
  folder.gzip(`${LOG}.20261123-101112`)
  folder.write(`${POD}/side/0.log`, criLines(6, 1))
  const bench = await source({ files_max: 3 }, [], { once: true })
  await bench.until(() => bench.other.some((message) => message.type === 'end_of_input'), 'end')
  assert.deepEqual(numbers(bench).sort(), upTo(7))
  assert.deepEqual(bench.other.filter(({ type }) => type === 'idle').length, 1)
  await bench.stop()
  const again = await source({}, bench.positions(), { once: true })
  await again.until(() => again.other.some((message) => message.type === 'end_of_input'), 'end')
  assert.deepEqual(again.lines(), [])
})

test('a late line in a rotated file that was finished is still read', async () => {
  folder.write(LOG, criLines(0, 1))
  const bench = await source()
  await has(bench, 1)
  folder.rename(LOG, `${LOG}.20261123-101112`)
  folder.write(LOG, criLines(1, 1))
  await bench.until(() => bench.closed.length === 1, 'closed')
  folder.append(`${LOG}.20261123-101112`, criLines(2, 1))
  await has(bench, 3)
  assert.deepEqual(numbers(bench).sort(), upTo(3))
  assert.equal(readFileSync(folder.path(LOG), 'utf8'), criLines(1, 1))
})
