// Storms, each from a seed (MILLRACE_STORMS=n for more): rotation, packing, missing descriptors, failing reads, kills and clock jumps in any order, between any two calls.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom } from '../../benchmarks/generate/random.js'
import { type Step, storm, type WorldStep } from './storm.js'

function between(random: () => number, from: number, to: number): number {
  return Math.floor(from + random() * (to - from + 1))
}

function worldStep(random: () => number): WorldStep {
  return random() < 0.5 ? { kind: 'rotate' } : { kind: 'write', pieces: between(random, 1, 6) }
}

function stepOf(random: () => number, diskFails: boolean): Step {
  const roll = random()
  if (roll < 0.25) return { kind: 'write', pieces: between(random, 1, 8) }
  if (roll < 0.45) return { kind: 'rotate' }
  if (roll < 0.7) return { kind: 'pass', ms: 10 * between(random, 1, random() < 0.2 ? 60 : 15) }
  if (roll < 0.85) return { kind: 'meddle', calls: between(random, 1, 30), world: worldStep(random) }
  if (roll < 0.91) {
    const kind = diskFails && roll >= 0.88 ? 'disk' : 'starve'
    return { kind, ms: between(random, 50, 800), every: between(random, 1, 4) }
  }
  if (roll < 0.96) return { kind: 'kill', share: random(), downMs: between(random, 0, 500) }
  return { kind: 'clock', shiftMs: [-7_200_000, -1500, 0, 60_000, 7_200_000][between(random, 0, 4)] ?? 0 }
}

/** Kills come more often, and each leaves a frame that can't be read, one of the newest. */
function withDamage(step: Step, random: () => number): Step {
  const isKill = step.kind === 'kill' || random() < 0.15
  return isKill ? { kind: 'kill', share: 1, downMs: 0, damaged: between(random, 1, 4) } : step
}

interface RunOptions {
  readonly readMs?: number
  /** With every kill a frame of the journal can't be read any more. */
  readonly damage?: boolean
}

async function run(seed: number, { readMs, damage = false }: RunOptions = {}): Promise<void> {
  const random = seededRandom(seed)
  const gzip = random() < 0.75
  const calm = Array.from({ length: between(random, 10, 50) }, () => stepOf(random, readMs === undefined))
  const damages = seededRandom(seed + 2)
  const steps = damage ? calm.map((step) => withDamage(step, damages)) : calm
  // Below the number of a log's files the order of its records is given up in the end, as is documented.
  const filesMax = random() < 0.15 ? between(random, 4, 8) : undefined
  const root = mkdtempSync(join(tmpdir(), 'millrace-storm-'))
  const streams = seededRandom(seed + 1)
  const kinds = Array.from({ length: 1000 }, () => ({
    pieces: streams() < 0.5 ? 1 : between(streams, 2, 4),
    stream: streams() < 0.7 ? ('stdout' as const) : ('stderr' as const),
  }))
  const record = (n: number) => kinds[n % 1000] as (typeof kinds)[number]
  try {
    const result = await storm(
      {
        root,
        gzip,
        record,
        ...(filesMax === undefined ? {} : { filesMax }),
        ...(readMs === undefined ? {} : { readMs }),
      },
      steps,
    )
    const { lost, alien, twice } = result
    assert.deepEqual(
      { lost, alien, twice },
      { lost: [], alien: [], twice: [] },
      `seed ${seed}, gzip ${gzip}, files_max ${filesMax}:\n${steps.map((step) => JSON.stringify(step)).join('\n')}`,
    )
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const FIRST = Number(process.env['MILLRACE_STORM_SEED'] ?? 1)
/** A thousand take a few minutes. */
const COUNT = Number(process.env['MILLRACE_STORMS'] ?? 40)

for (const damage of [false, true]) {
  const what = damage ? ' but those of frames that the disk has damaged' : ''
  test(`no storm of rotations loses, doubles or mixes a record${what}`, async () => {
    const failures: string[] = []
    for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
      await run(seed, { damage }).catch((error: Error) => failures.push(error.message))
    }
    assert.equal(failures.length, 0, `${failures.length} of ${COUNT}\n${failures.slice(0, 3).join('\n')}`)
  })
}

// With fewer files followed than a log has: one that is read later gave its descriptor up only if it was the very last, so none did, and
// after half a minute the order was given up.
test('files of a log that wait for a descriptor and slow packed ones do not wait for each other', () =>
  run(20_650, { readMs: 100 }))

test('a record that goes on in a packed file stays whole though that file has to wait for minutes', async () => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-storm-'))
  const record = (n: number) => ({ pieces: n === 1 ? 2 : 1, stream: 'stdout' as const })
  try {
    const { lost, alien, twice } = await storm({ root, gzip: true, record }, [
      { kind: 'write', pieces: 2 },
      { kind: 'pass', ms: 500 },
      { kind: 'rotate' },
      { kind: 'write', pieces: 1 },
      { kind: 'rotate' },
      { kind: 'write', pieces: 1 },
      { kind: 'rotate' },
      { kind: 'kill', share: 1, downMs: 0 },
      { kind: 'hold', ms: 90_000 },
    ])
    assert.deepEqual({ lost, alien, twice }, { lost: [], alien: [], twice: [] })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})
