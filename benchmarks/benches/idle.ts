// A node with nothing to do: what it costs to keep files open and look whether they have grown.
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { spawn } from 'node:child_process'
import { createTraffic } from '../generate/traffic.js'
import type { Bench, Measurement } from '../harness/bench.js'
import { startLiveNode } from '../harness/node.js'
import { type Usage, usageOf } from '../harness/process.js'

const LOOK_WORK = fileURLToPath(new URL('./idle-look-work.js', import.meta.url))
const REFERENCE = 'a process that looks at each file once a second'
const REFERENCE_SETTLE_MS = 1000

export const idleBench: Bench = {
  name: 'idle',
  summary: 'CPU and memory of a node with open files that nobody writes',
  metrics: [
    { key: 'cpuPercent', label: 'CPU', unit: '% of a core', better: 'lower', digits: 2 },
    { key: 'rssMegabytes', label: 'RSS', unit: 'MB', better: 'lower' },
    { key: 'descriptors', label: 'descriptors', unit: '', better: 'neither' },
  ],
  ratios: [],
  rounds: { default: 3, quick: 1, warmUp: 0 },
  options: {
    files: { value: 'n', default: '100', text: 'open files' },
    settle: {
      value: 'n',
      default: '75',
      quick: '3',
      text: 'seconds before that: folders without a change for a minute are looked at more rarely',
    },
    seconds: { value: 'n', default: '30', quick: '3', text: 'how long it is watched' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const files = options.count('files', 1)
    const settleMs = options.number('settle', 1) * 1000
    const seconds = options.number('seconds', 1)
    const sinks = await kit.sinks()
    const root = scratch.fresh('idle')
    const traffic = createTraffic({ root, pods: files, seed: 1 })
    traffic.write(files, Date.now() - 1000, Date.now())
    traffic.close()
    const name = `millrace, ${files} open files`
    return {
      cases: [
        {
          name: REFERENCE,
          role: 'reference',
          async measure() {
            const child = spawn(process.execPath, [LOOK_WORK, root], { stdio: 'ignore' })
            await sleep(REFERENCE_SETTLE_MS)
            const measured = await watch(() => usageOf(child.pid ?? 0), seconds)
            child.kill()
            return measured
          },
        },
        {
          name,
          role: 'measured',
          against: REFERENCE,
          async measure() {
            const node = await startLiveNode({ scratch, name: 'idle', root, sinks })
            try {
              await sleep(settleMs)
              const { counters } = await node.status()
              if (counters.readRecords !== files)
                throw new Error(`read ${counters.readRecords} of ${files} records`)
              return await watch(node.usage, seconds)
            } finally {
              await node.stop()
            }
          },
        },
      ],
      bars: [
        { what: 'idle', case: name, metric: 'cpuPercent', most: 1 },
        { what: 'memory when idle', case: name, metric: 'rssMegabytes', most: 120 },
      ],
    }
  },
}

async function watch(usage: () => Usage | undefined, seconds: number): Promise<Measurement> {
  const [before, fromMs] = [usage(), performance.now()]
  await sleep(seconds * 1000)
  const [after, toMs] = [usage(), performance.now()]
  if (before === undefined || after === undefined) throw new Error('the watched process has ended')
  return {
    cpuPercent: (100_000 * (after.cpuSeconds - before.cpuSeconds)) / (toMs - fromMs),
    rssMegabytes: after.rssBytes / 1e6,
    descriptors: after.descriptors,
  }
}
