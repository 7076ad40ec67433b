// From the arrival of a new sampling section to the moment every hot path has it, on an idle node and under full load.
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type RunningNode, startNode } from '../../cli/node.js'
import { loadConfig } from '../../runtime/config/load.js'
import { createTextMemory, openLiveText } from '../../runtime/live-text.js'
import { createLogger } from '../../runtime/log.js'
import { createTraffic } from '../generate/traffic.js'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { createLatencies } from '../harness/histogram.js'
import { writeNodeConfig } from '../harness/node.js'
import type { Scratch } from '../harness/scratch.js'
import type { Sinks } from '../harness/sinks.js'

interface Scene {
  readonly scratch: Scratch
  readonly sinks: Sinks
}

const GAP_MS = 5
const ECHO_MS_MAX = 5000
/** What starting costs is not idling. */
const SETTLE_MS = 2000
/** So many records wait to be read between two reloads: the load has no end before the last of them. */
const WAITING_RECORDS = 100_000
/** Read files go, so that the load takes no more of the disk the longer it is. */
const ROTATE_BYTES = 10 * 1024 * 1024
const KEEP_ROTATED = 3
const RULES = [
  { when: 'error_rate > 0.05 AND p99_latency > 200ms', keep: 1, for: '30s' },
  { when: 'status_code IN [500, 502, 504]', keep: 1 },
]
const REFERENCE = 'a thread that only answers'
const LOADED = 'under full load, a section'

export const reloadBench: Bench = {
  name: 'reload',
  summary: 'a new sampling section arrives → every hot path has it',
  metrics: [
    { key: 'p99Millis', label: 'p99', unit: 'ms', better: 'lower', digits: 2 },
    { key: 'p50Millis', label: 'p50', unit: 'ms', better: 'lower', digits: 2 },
    { key: 'mostMillis', label: 'most', unit: 'ms', better: 'lower', digits: 2 },
    {
      key: 'echoP50Millis',
      label: 'p50 of the answering thread beside it',
      unit: 'ms',
      better: 'neither',
      digits: 2,
    },
    { key: 'echoP99Millis', label: 'its p99', unit: 'ms', better: 'neither', digits: 2 },
    { key: 'reloads', label: 'reloads', unit: '', better: 'neither' },
    { key: 'recordsPerSecond', label: 'read meanwhile', unit: 'records/s', better: 'neither' },
  ],
  ratios: ['p50Millis'],
  rounds: { default: 1, quick: 1, warmUp: 0 },
  options: {
    reloads: {
      value: 'n',
      default: '1000',
      quick: '50',
      text: 'under full load',
    },
    'idle-reloads': { value: 'n', default: '200', quick: '20', text: 'on an idle node' },
    records: {
      value: 'n',
      default: '10000000',
      quick: '1000000',
      text: 'of the load, at most: it ends with the reloads',
    },
  },
  async open(options, kit) {
    const scene: Scene = { scratch: kit.scratch, sinks: await kit.sinks() }
    const [idle, busy] = [options.count('idle-reloads', 1), options.count('reloads', 1)]
    const records = options.count('records', 1)
    const notes: string[] = []
    const measured = (name: string, measure: () => Promise<Measurement>): Case => ({
      name,
      role: 'measured',
      against: REFERENCE,
      measure,
    })
    return {
      cases: [
        { name: REFERENCE, role: 'reference', measure: () => measure(idle) },
        measured('idle, a section', () =>
          onIdleNode(scene, (node) => measure(idle, (n) => reloadSection(node, n))),
        ),
        measured('idle, the file', () =>
          onIdleNode(scene, (node, file) => measure(idle, () => reloadFile(node, file))),
        ),
        measured(LOADED, async () => {
          const measurement = await onBusyNode(scene, records, busy)
          if ((measurement['reloads'] ?? 0) < busy)
            notes.push(`${LOADED}: ended early, since all of the ${records} records had been read`)
          return measurement
        }),
      ],
      bars: [{ what: 'a change reaches every hot path', case: LOADED, metric: 'p99Millis', most: 20 }],
      notes,
    }
  },
}

async function onIdleNode(
  scene: Scene,
  run: (node: RunningNode, file: string) => Promise<Measurement>,
): Promise<Measurement> {
  const { node, file } = await start(scene, scene.scratch.fresh('reload-idle'))
  try {
    await sleep(SETTLE_MS)
    return await run(node, file)
  } finally {
    await node.stop()
  }
}

/** While records are read through the default sampling at full speed. They are written between the reloads, and end at `records`. */
async function onBusyNode(scene: Scene, records: number, reloads: number): Promise<Measurement> {
  const root = scene.scratch.fresh('reload-busy')
  const traffic = createTraffic({
    root,
    pods: 10,
    seed: 1,
    rotateBytes: ROTATE_BYTES,
    keepRotated: KEEP_ROTATED,
  })
  const feed = (read: number): void => {
    const count = Math.min(WAITING_RECORDS + read, records) - traffic.written()
    if (count > 0) traffic.write(count, Date.now() - 1000, Date.now())
  }
  feed(0)
  const { node } = await start(scene, root)
  try {
    const read = (): number => node.status().counters.readRecords
    const startedMs = performance.now()
    const measured = await measure(
      reloads,
      (n) => reloadSection(node, n),
      () => {
        feed(read())
        return read() < records
      },
    )
    return { ...measured, recordsPerSecond: (read() * 1000) / (performance.now() - startedMs) }
  } finally {
    traffic.close()
    await node.stop()
  }
}

/** At least once; after each `goOn` is asked. Beside each reload the echo is asked; without a reload it is all that is measured. */
async function measure(
  times: number,
  reload?: (n: number) => Promise<number>,
  goOn: () => boolean = () => true,
): Promise<Measurement> {
  const [reloads, echoes] = [createLatencies(), createLatencies()]
  const echo = startEcho()
  try {
    await echo.ask()
    for (let n = 0; n < times; n++) {
      echoes.addMillis(await echo.ask())
      if (reload !== undefined) reloads.addMillis(await reload(n))
      if (!goOn()) break
      await sleep(GAP_MS)
    }
  } finally {
    await echo.end()
  }
  if (reload === undefined)
    return { p50Millis: echoes.at(50), p99Millis: echoes.at(99), mostMillis: echoes.mostMillis() }
  return {
    p50Millis: reloads.at(50),
    p99Millis: reloads.at(99),
    mostMillis: reloads.mostMillis(),
    echoP50Millis: echoes.at(50),
    echoP99Millis: echoes.at(99),
    reloads: reloads.count(),
  }
}

/** As it arrives over a connection. */
async function reloadSection(node: RunningNode, n: number): Promise<number> {
  const section = { info: { target_per_second: 100 + (n % 2) }, rules: RULES }
  return (await node.sampling.reload(section)).appliedMs
}

/** As a signal has it read. */
async function reloadFile(node: RunningNode, file: string): Promise<number> {
  const startedMs = performance.now()
  await node.sampling.reload(loadConfig(file).config.sampling)
  return performance.now() - startedMs
}

interface Echo {
  /** ms until the thread has said that it has what was published. */
  ask(): Promise<number>
  end(): Promise<number>
}

/** The same wake-up and answer of a thread that does nothing else: the machine's own share of a reload. */
function startEcho(): Echo {
  const memory = createTextMemory(16, '')
  const worker = new Worker(new URL('./reload-echo.js', import.meta.url), { workerData: memory })
  const live = openLiveText(memory)
  return {
    async ask() {
      const startedMs = performance.now()
      await live.whenApplied(live.publish('x'), ECHO_MS_MAX)
      return performance.now() - startedMs
    },
    end: () => worker.terminate(),
  }
}

async function start({ scratch, sinks }: Scene, root: string): Promise<{ node: RunningNode; file: string }> {
  const sampling = `{ rules: ${JSON.stringify(RULES)} }`
  const file = writeNodeConfig({ scratch, name: 'reload', root, sinks, sampling })
  const { config } = loadConfig(file)
  return { node: await startNode({ config, once: false, log: createLogger('silent') }), file }
}
