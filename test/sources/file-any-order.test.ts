// Any sequence of writes, rotations, packings and restarts: every line once, in order.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FilePosition } from '../../protocol/positions.js'
import { type Bench } from './bench.js'
import { logFolder } from './folders.js'
import { has, lines, numbers, range, sourcesFixture } from './fixture.js'

const fixture = sourcesFixture()

test('however lines are written and wherever it is stopped, every line comes once and in order', async () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 40 }) }),
    },
    // The next file begins with a line, or empty.
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('rotate' as const), count: fc.integer({ min: 0, max: 1 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), count: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('gzip' as const), count: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), count: fc.constant(0) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const logs = logFolder()
      const include = [logs.path('a.log')]
      let written = 0
      let rotations = 0
      let positions: FilePosition[] = []
      const got: number[] = []
      let bench: Bench | undefined
      const stop = async (): Promise<void> => {
        if (bench === undefined) return
        await bench.stop()
        got.push(...numbers(bench))
        positions = merged(positions, bench.positions())
        bench = undefined
      }
      logs.write('a.log', lines(written++))
      for (const { do: what, count } of [{ do: 'wait' as const, count: 0 }, ...steps]) {
        bench ??= await fixture.files({ include, poll: 2, rescan: 4, line_wait_max: 30 }, positions)
        if (what === 'append') logs.append('a.log', lines(...range(written, (written += count))))
        if (what === 'restart') await stop()
        if (what === 'wait') await has(bench, written - got.length)
        if (what === 'rotate') {
          logs.rename('a.log', `a.log-2026112300${String(rotations++).padStart(4, '0')}`)
          logs.write('a.log', lines(...range(written, (written += count))))
        }
        if (what === 'gzip' && rotations > 0) {
          const name = `a.log-2026112300${String(rotations - 1).padStart(4, '0')}`
          if (existsSync(logs.path(name))) logs.gzip(name)
        }
      }
      bench ??= await fixture.files({ include, poll: 2, rescan: 4, line_wait_max: 30 }, positions)
      await has(bench, written - got.length)
      await stop()
      logs.remove()
      assert.deepEqual(got, range(0, written))
    }),
    { numRuns: 25, seed: 20261123 },
  )
})

function merged(before: readonly FilePosition[], after: readonly FilePosition[]): FilePosition[] {
  return [...new Map([...before, ...after].map((position) => [position.key, position])).values()]
}
