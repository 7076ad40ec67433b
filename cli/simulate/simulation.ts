// Feeds every line to the chain of each configuration, in the order and at the pace of the lines' own times.
import type { Config } from '../../protocol/config/schema.js'
import { createOfflineChain, type OfflineChain } from '../offline/chain.js'
import { createEventClock, type EventClock } from '../offline/event-clock.js'
import type { Identify } from './identity.js'
import type { InputFile } from './input.js'
import type { Merged } from './merge.js'
import type { Piece } from './pieces.js'
import { type Counted, createTally, type Tally } from './tally.js'

export interface SimulatedConfig {
  readonly config: Config
  readonly identify: Identify
}

export interface Simulation {
  /** For each configuration. */
  readonly counted: readonly ReadonlyMap<string, Counted>[]
  readonly malformed: readonly number[]
}

interface Run {
  readonly chain: OfflineChain
  readonly clock: EventClock
  readonly tally: Tally
  readonly identify: Identify
  /** Origins of files that are being read; undefined: the configuration does not read it. */
  readonly origins: Map<InputFile, number | undefined>
  nextOrigin: number
}

export async function simulate(
  configs: readonly SimulatedConfig[],
  startMs: number,
  pieces: AsyncIterable<Merged>,
): Promise<Simulation> {
  const runs = configs.map((each) => createRun(each, startMs))
  for await (const merged of pieces) {
    for (const run of runs) {
      if ('closed' in merged) close(run, merged.closed)
      else take(run, merged)
    }
  }
  for (const { chain } of runs) chain.end()
  return {
    counted: runs.map(({ tally }) => tally.result()),
    malformed: runs.map(({ tally }) => tally.malformed()),
  }
}

function createRun({ config, identify }: SimulatedConfig, startMs: number): Run {
  const clock = createEventClock(startMs)
  const tally = createTally()
  const chain: OfflineChain = createOfflineChain({
    config,
    clock,
    judged: (streams, from, to) => tally.judged(chain.scanner, streams, from, to),
    kept: tally.kept,
  })
  return { chain, clock, tally, identify, origins: new Map(), nextOrigin: 1 }
}

function take(run: Run, { file, secondMs, lines }: Piece): void {
  if (!run.origins.has(file)) open(run, file)
  const origin = run.origins.get(file)
  if (origin === undefined) return
  run.clock.advanceTo(secondMs)
  run.chain.feed(origin, lines)
}

function open(run: Run, file: InputFile): void {
  const { origin, joinKey } = run.identify(file)
  const id = origin === undefined ? undefined : run.nextOrigin++
  run.origins.set(file, id)
  if (origin !== undefined && id !== undefined) run.chain.open({ ...origin, id, source: 'simulate', joinKey })
}

function close(run: Run, file: InputFile): void {
  const origin = run.origins.get(file)
  run.origins.delete(file)
  if (origin !== undefined) run.chain.close(origin)
}
