// Container logs under strain: faults of folders, endless lines, backpressure, bounds, and runs that end.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { test } from 'node:test'
import { RECORDS } from './bench.js'
import { criLines, POD } from './folders.js'
import { ended, has, numbers, upTo, sourcesFixture } from './fixture.js'

const LOG = `${POD}/app/0.log`
const fixture = sourcesFixture()

test('folders, pipes, loops and malformed names are counted, and the rest is read', async (t) => {
  fixture.folder.write(LOG, criLines(0, 1))
  mkdirSync(fixture.folder.path(`${POD}/app/1.log`))
  symlinkSync('2.log', fixture.folder.path(`${POD}/app/2.log`))
  mkdirSync(fixture.folder.path('not-a-pod'))
  mkdirSync(fixture.folder.path(`${POD}/..evil`))
  symlinkSync(fixture.folder.root, fixture.folder.path('shop_loop_0f1e2d3c-0000-4000-8000-000000000009'))
  const denied = fixture.folder.write(`${POD}/app/3.log`, criLines(0, 1))
  chmodSync(denied, 0)
  const bench = await fixture.pods()
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
  fixture.folder.write(LOG, criLines(0, 1) + long + criLines(1, 1))
  const bench = await fixture.pods()
  await bench.until(() => bench.slabs.some((slab) => slab.text.includes('line 1')), 'the line behind')
  const cut = bench.slabs.find((slab) => slab.cut)
  assert.equal(cut?.bytes.length, RECORDS.line_bytes_max)
  assert.equal(cut?.endOffset, criLines(0, 1).length + long.length)
  assert.equal(bench.slabs.at(-1)?.offset, cut?.endOffset)
  fixture.folder.append(LOG, long.slice(0, -1))
  fixture.folder.rename(LOG, `${LOG}.20261123-101112`)
  fixture.folder.gzip(`${LOG}.20261123-101112`)
  await bench.until(() => bench.closed.length === 1, 'closed')
  const again = await fixture.pods({}, [], { once: true })
  await again.until(() => again.closed.length === 1, 'closed')
  assert.deepEqual(
    again.slabs.map(({ offset, endOffset, cut: isCut }) => [offset, endOffset, isCut === true]),
    bench.slabs.map(({ offset, endOffset, cut: isCut }) => [offset, endOffset, isCut === true]),
  )
  assert.equal(again.slabs.map(({ text }) => text).join(''), bench.slabs.map(({ text }) => text).join(''))
})

test('with flow closed nothing is read, and nothing is lost', async () => {
  fixture.folder.write(LOG, criLines(0, 60_000))
  const made: { close?: () => void } = {}
  const bench = await fixture.pods({}, [], { onSlab: () => made.close?.() })
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
  for (let n = 0; n < 6; n++) fixture.folder.write(`${POD}/c${n}/0.log`, criLines(n, 1))
  const bench = await fixture.pods({ files_max: 2, line_wait_max: 30 })
  await has(bench, 6)
  assert.deepEqual(numbers(bench).sort(), upTo(6))
  assert.ok(bench.metric('files_open', { source: 'pods' }) <= 2)
  fixture.folder.append(`${POD}/c0/0.log`, criLines(6, 1))
  await has(bench, 7)
  assert.deepEqual(numbers(bench).sort(), upTo(7))
})

test('once: everything is read, unfinished last lines too, and the end is told once', async () => {
  fixture.folder.write(LOG, criLines(3, 2) + criLines(5, 1).trimEnd())
  fixture.folder.write(`${LOG}.20261123-101113`, criLines(2, 1))
  fixture.folder.write(`${LOG}.20261123-101112`, criLines(0, 2))
  fixture.folder.gzip(`${LOG}.20261123-101112`)
  fixture.folder.write(`${POD}/side/0.log`, criLines(6, 1))
  const bench = await fixture.pods({ files_max: 3 }, [], { once: true })
  await ended(bench)
  assert.deepEqual(numbers(bench).sort(), upTo(7))
  assert.deepEqual(bench.other.filter(({ type }) => type === 'idle').length, 1)
  await bench.stop()
  const again = await fixture.pods({}, bench.positions(), { once: true })
  await ended(again)
  assert.deepEqual(again.lines(), [])
})
