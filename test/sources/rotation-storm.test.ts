// Logs that are rotated and packed faster than they are read: every line once, in order, and nothing begun is lost.
import assert from 'node:assert/strict'
import { closeSync, openSync, statSync } from 'node:fs'
import { test } from 'node:test'
import type { Conditions } from '../../actors/sources/tail/conditions.js'
import type { FoundFile, FoundLog } from '../../actors/sources/tail/found.js'
import { identityOf, keyOf, readHead } from '../../actors/sources/tail/identity.js'
import { createLedger } from '../../actors/sources/tail/ledger.js'
import { createOpenFiles } from '../../actors/sources/tail/open-files.js'
import { createSearch, type Search } from '../../actors/sources/tail/search.js'
import { isBarred } from '../../actors/sources/tail/tail-file.js'
import type { FilePosition } from '../../protocol/positions.js'
import type { Bench } from './bench.js'
import { criLines, POD } from './folders.js'
import { BEGUN, has, numbers, upTo, sourcesFixture } from './fixture.js'

const LOG = `${POD}/app/0.log`
const rotated = (n: number): string => `${LOG}.20261123-1011${10 + n}`
const fixture = sourcesFixture()

function setFlow(bench: Bench, open: boolean): void {
  bench.actor().on.flow?.({ type: 'flow', open }, 'journal')
}

test('a file held since it was empty, and packed before its turn, is not read from both', async () => {
  fixture.folder.write(LOG, '')
  const bench = await fixture.pods()
  const open = (): number => bench.metric('files_open', { source: 'pods' })
  await bench.until(() => open() === 1, 'the empty file is held')
  setFlow(bench, false)
  fixture.folder.append(LOG, criLines(0, 10))
  fixture.folder.rename(LOG, rotated(1))
  fixture.folder.gzip(rotated(1))
  fixture.folder.write(LOG, criLines(10, 10))
  await bench.until(() => open() >= 2, 'the next file is found')
  setFlow(bench, true)
  await has(bench, 20)
  fixture.folder.append(LOG, criLines(20, 1))
  await bench.until(() => numbers(bench).includes(20), 'the last line')
  assert.deepEqual(numbers(bench), upTo(21))
})

test('a file held since it had but one line is not taken for another that begins with the same line', async () => {
  fixture.folder.write(LOG, criLines(0, 1))
  const bench = await fixture.pods()
  await has(bench, 1)
  setFlow(bench, false)
  fixture.folder.append(LOG, criLines(1, 5))
  fixture.folder.rename(LOG, rotated(2))
  fixture.folder.write(rotated(3), criLines(0, 1) + criLines(6, 5))
  fixture.folder.gzip(rotated(2))
  fixture.folder.gzip(rotated(3))
  fixture.folder.write(LOG, criLines(11, 1))
  await bench.until(() => bench.metric('files_open', { source: 'pods' }) >= 3, 'all are found')
  setFlow(bench, true)
  await bench.until(() => numbers(bench).includes(11), 'the last line')
  assert.deepEqual(numbers(bench), [...upTo(6), 0, ...upTo(12).slice(6)])
})

function found(name: string, path = name, live = false): FoundFile {
  const { dev, ino, size, mtimeMs } = statSync(fixture.folder.path(name))
  const gz = path.endsWith('.gz')
  return { path: fixture.folder.path(path), dev, ino, size, mtimeMs, live, gz, wanted: true }
}

function logOf(...files: FoundFile[]): FoundLog {
  return { key: 'app/0', livePath: fixture.folder.path(LOG), files }
}

/** A position at the file's end, with a record begun. */
function positionOf(name: string): FilePosition {
  const fd = openSync(fixture.folder.path(name), 'r')
  const { dev, ino, size } = statSync(fixture.folder.path(name))
  const identity = identityOf(dev, ino, readHead(fd))
  closeSync(fd)
  const path = fixture.folder.path(name)
  return {
    kind: 'file',
    source: 'pods',
    key: keyOf(identity),
    path,
    identity,
    offset: size,
    carry: [BEGUN],
  }
}

function searching(positions: readonly FilePosition[]): {
  search: Search
  open: ReturnType<typeof createOpenFiles>
} {
  const open = createOpenFiles()
  const conditions: Conditions = { report: () => {}, clear: () => {}, count: () => 0 }
  const search = createSearch({
    open,
    ledger: createLedger(positions, () => {}),
    conditions,
    lineBytesMax: 1024,
    filesMax: 100,
    fromEnd: false,
    once: false,
    logOf: () => logOf(),
    park: () => {},
    onTruncated: () => {},
    nowMs: () => 0,
  })
  return { search, open }
}

test('a recovered file that is rotated between its listing and its opening keeps its place and its piece', () => {
  fixture.folder.write(LOG, criLines(0, 5) + criLines(5, 1, 'P'))
  const position = positionOf(LOG)
  const { search, open } = searching([position])
  const stale = found(LOG, LOG, true)
  fixture.folder.rename(LOG, rotated(1))
  fixture.folder.write(LOG, criLines(5, 1))
  assert.equal(search.apply([logOf(stale)]), 1)
  assert.equal(open.count(), 0)
  assert.equal(search.apply([logOf(found(rotated(1)), found(LOG, LOG, true))]), 0)
  const [chain] = open.chains()
  assert.deepEqual(
    chain?.files.map(({ startOffset, carry, key }) => [startOffset, carry?.length ?? 0, key]),
    [
      [position.offset, 1, position.key],
      [0, 0, chain?.files[1]?.key],
    ],
  )
  open.clear()
})

test('what follows a packed file that cannot be opened now is not read before it', () => {
  fixture.folder.write(rotated(1), criLines(0, 5))
  fixture.folder.gzip(rotated(1))
  fixture.folder.write(rotated(2), criLines(5, 5))
  fixture.folder.write(LOG, criLines(10, 1))
  const { search, open } = searching([])
  const packed = found(`${rotated(1)}.gz`)
  const others = [found(rotated(2)), found(LOG, LOG, true)]
  search.apply([logOf({ ...packed, path: `${packed.path}-gone.gz` }, ...others)])
  const [chain] = open.chains()
  assert.ok(chain)
  assert.deepEqual(
    chain.files.map(({ order }) => isBarred(chain, 1000, order)),
    [true, true],
  )
  assert.ok(!isBarred(chain, 31_000, 2), 'the log is not stopped for ever')
  search.apply([logOf(packed, ...others)])
  assert.deepEqual(
    chain.files.map(({ path, order }) => [path.endsWith('.gz'), isBarred(chain, 1000, order)]),
    [
      [true, false],
      [false, false],
      [false, false],
    ],
  )
  open.clear()
})
