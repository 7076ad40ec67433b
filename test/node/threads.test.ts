// Threads of a whole node that die in the middle of the work: every record still reaches both backends, once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Placement, startScene, until } from './scene.js'

const CHAIN = ['parse', 'enrich', 'sample']

/** How the actors may share threads, one of each kind that the configuration allows. */
const placements: readonly {
  readonly name: string
  readonly rounds: number
  readonly placement: Placement
}[] = [
  {
    name: 'the default of few cores',
    rounds: 2,
    placement: { ingest: ['source.*', ...CHAIN], delivery: ['writer.*', 'journal'] },
  },
  {
    name: 'ingest, journal and writers apart',
    rounds: 1,
    placement: { ingest: ['source.*', ...CHAIN], journal: ['journal'], writers: ['writer.*'] },
  },
  {
    name: 'every actor that can be apart in a thread of its own',
    rounds: 1,
    placement: {
      left: ['source.left'],
      right: ['source.right'],
      chain: CHAIN,
      journal: ['journal'],
      es: ['writer.es'],
      loki: ['writer.loki'],
    },
  },
  {
    name: 'one source beside the scanner, one apart; the journal beside a writer',
    rounds: 1,
    placement: {
      ingest: ['source.left', ...CHAIN],
      right: ['source.right'],
      back: ['journal', 'writer.es'],
      loki: ['writer.loki'],
    },
  },
  {
    name: 'writers beside the scanner, sources beside the journal',
    rounds: 1,
    placement: { front: [...CHAIN, 'writer.*'], back: ['source.*', 'journal'] },
  },
]

/** More than one for a longer search than every build can wait for. */
const ROUNDS_FACTOR = Number(process.env.MILLRACE_KILLS_FACTOR ?? 1)
/** Records written before each kill and again right before it. */
const STEP = 200

for (const { name, rounds, placement } of placements) {
  test(`a thread that dies while records come in loses and doubles nothing: ${name}`, async (t) => {
    const groups = Object.keys(placement)
    const kills = rounds * ROUNDS_FACTOR * groups.length
    const records = 2 * STEP * kills + 1000
    const scene = await startScene({ records, placement })
    t.after(scene.close)
    for (let kill = 0; kill < kills; kill++) {
      const before = scene.stored()
      scene.write(STEP)
      // Killed once some of what was just written has arrived: in the middle of the work, however fast the machine.
      await until(
        () => scene.stored() > before,
        () => `nothing arrives after kill ${kill}: ${JSON.stringify(scene.node.status())}`,
      )
      scene.write(STEP)
      await scene.crash(groups[kill % groups.length] as string)
    }
    scene.write(1000)
    await scene.delivered()
    scene.demandEachOnce()
    const counted = Object.values(scene.node.status().groups).map(({ restarts }) => restarts)
    assert.ok(
      counted.every((restarts) => restarts >= rounds),
      `restarts are counted: ${counted.join(', ')}`,
    )
    const text = await scene.node.metrics()
    for (const [group, { restarts }] of Object.entries(scene.node.status().groups))
      assert.match(
        text,
        new RegExp(`^log_pipeline_actor_restarts_total{[^}]*group="${group}"[^}]*} ${restarts}$`, 'm'),
      )
  })
}
