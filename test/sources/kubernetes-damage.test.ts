// Container logs whose positions a damaged frame has taken with it: what is read again, and where a record begun goes on or ends.
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { criLines, POD } from './folders.js'
import { BEGUN, numbers, sourcesFixture } from './fixture.js'

const fixture = sourcesFixture()

test('a record begun goes on in the next file, but not behind one that was read before: its rest is not there any more', async () => {
  for (const read of ['none', 'a part of the next', 'all of the next', 'the next, which is gone'] as const) {
    const folder = `${POD}/${read.replaceAll(/\W/g, '')}`
    const [first, second, third] = [
      `${folder}/0.log.20261123-101112`,
      `${folder}/0.log.20261123-101113`,
      `${folder}/0.log`,
    ]
    fixture.folder.write(first, criLines(0, 2))
    fixture.folder.write(second, criLines(2, 2))
    const before = await fixture.pods()
    await before.until(() => before.lines().length >= 4, 'all lines')
    await before.stop()
    // What a frame that the disk has damaged leaves: a later file's position without the earlier one's end.
    const positions = before.positions().flatMap((position) => {
      if (position.path === fixture.folder.path(first)) return [{ ...position, done: false, carry: [BEGUN] }]
      if (position.path !== fixture.folder.path(second) || read === 'none') return []
      return [{ ...position, done: read !== 'a part of the next' }]
    })
    if (read === 'the next, which is gone') rmSync(fixture.folder.path(second))
    fixture.folder.write(third, criLines(4, 2))
    const bench = await fixture.pods({}, positions)
    await bench.until(() => numbers(bench).includes(5), 'the last line')
    await bench.until(() => bench.closed.length >= 1, 'closed')
    const end = bench.closed.find(({ path }) => path === fixture.folder.path(first))
    assert.equal(end?.cutOff, read !== 'none', read)
    await bench.stop()
    rmSync(fixture.folder.path(folder), { recursive: true })
  }
})

for (const packed of [false, true]) {
  const form = packed ? 'packed' : 'plain'
  test(`behind a damaged frame a record begun goes on in a file of which nothing is known, and ends before one that was read (${form})`, async () => {
    const [first, second, third, live] = [
      `${POD}/app/0.log.20261123-101112`,
      `${POD}/app/0.log.20261123-101113`,
      `${POD}/app/0.log.20261123-101114`,
      `${POD}/app/0.log`,
    ]
    for (const [n, name] of [first, second, third, live].entries())
      fixture.folder.write(name, criLines(2 * n, 2))
    const before = await fixture.pods()
    await before.until(() => before.lines().length >= 8, 'all lines')
    await before.stop()
    const positions = before.positions().flatMap((position) => {
      if (position.path === fixture.folder.path(first)) return [{ ...position, done: false, carry: [BEGUN] }]
      return position.path === fixture.folder.path(second) ? [] : [position]
    })
    if (packed) for (const name of [first, second, third]) fixture.folder.gzip(name)
    fixture.folder.append(live, criLines(8, 1))
    const bench = await fixture.pods({}, positions)
    await bench.until(() => numbers(bench).includes(8), 'the last line')
    await bench.until(() => bench.closed.length >= 2, 'both were read')
    const ends = bench.closed.map(({ path, cutOff }) => [
      path.slice(path.lastIndexOf('-') + 1, packed ? -3 : undefined),
      cutOff,
    ])
    assert.deepEqual(ends, [
      ['101112', false],
      ['101113', true],
    ])
    await bench.stop()
  })
}
