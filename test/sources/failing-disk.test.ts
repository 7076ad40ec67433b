// A disk that does not answer for a part of a log: a node tries for ever, a batch comes to its end and says so.
import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { systemClock } from '../../runtime/clock.js'
import { sourcesFixture } from './fixture.js'
import { meddleWith } from './unruly-fs.js'

const fixture = sourcesFixture()
const line = (n: number): string => `{"msg":"line ${n}"}\n`

test('run --once leaves a file that fails for half a minute, reads the others, and ends with a fault', async (t) => {
  fixture.folder.write('a.log', line(1))
  fixture.folder.write('b.log', line(2))
  let reads = 0
  // Its beginning is read as it is opened.
  const fails = (fd: number): boolean => readlinkSync(`/proc/self/fd/${fd}`).endsWith('a.log') && reads++ > 0
  const fs = meddleWith(fixture.folder.root, () => undefined, undefined, fails)
  t.after(fs.restore)
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 20 }
  const bench = await fixture.files({ rescan: 50 }, [], { once: true, clock })
  await bench.until(() => bench.story.some((each) => each.startsWith('slab b.log')), 'the other file')
  await bench.until(() => bench.other.some(({ type }) => type === 'end_of_input'), 'the end')
  assert.ok(reads > 10, `${reads} reads: it was tried for a while`)
  assert.equal(bench.metric('source_errors_total', { source: 'app', reason: 'EIO' }), 1)
  // What makes the command exit 1.
  const told = bench.other.findLast((each) => each.type === 'status')
  assert.equal(told?.detail['faults'], 1)
})
