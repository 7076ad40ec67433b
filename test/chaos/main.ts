// npm run test:chaos: runs plans of faults from seeds and ends with 1 when the oracle found a violation.
import { parseArgs } from 'node:util'
import { hasNats } from './nats.js'
import { makePlan, type Plan, planText } from './plan.js'
import { runPlan } from './run.js'
import { createTotals, summary } from './summary.js'

const usage = `usage: test:chaos [--seed N] [--seeds COUNT] [--minutes M] [--at-once K] [--real] [--plan] [--no-gzip] [--lie es|loki]
  --seed N      the first seed; left out: a fresh one
  --seeds N     so many seeds in a row, one run each (default 1)
  --minutes M   how long the faults of one run go on (default 1)
  --at-once K   so many runs at the same time (default 1)
  --real        against the servers of \`npm run backends\`: kills and the network, no faults of stand-ins
  --plan        print the plans and run nothing
  --no-gzip     rotated logs stay unpacked, whatever the plan says
  --lie NAME    sabotage: one acknowledged write to es or loki is lost on its way; the run must fail`

const AT_ONCE_MAX = 8
const say = (line: string) => void process.stdout.write(`${line}\n`)

interface Asked {
  readonly first: number
  readonly count: number
  readonly minutes: number
  readonly atOnce: number
  readonly real: boolean
  readonly plan: boolean
  readonly noGzip: boolean
  readonly lie: 'es' | 'loki' | undefined
}

/** Undefined: not as the usage says. */
function readArgs(): Asked | undefined {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '1' },
      'at-once': { type: 'string', default: '1' },
      real: { type: 'boolean', default: false },
      plan: { type: 'boolean', default: false },
      'no-gzip': { type: 'boolean', default: false },
      lie: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const first = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
  const [count, minutes, atOnce] = [Number(values.seeds), Number(values.minutes), Number(values['at-once'])]
  const { lie, real, plan } = values
  if (lie !== undefined && lie !== 'es' && lie !== 'loki') return undefined
  const sound = Number.isInteger(first) && count >= 1 && minutes > 0 && atOnce >= 1 && atOnce <= AT_ONCE_MAX
  if (values.help || !sound) return undefined
  return { first, count, minutes, atOnce, real, plan, noGzip: values['no-gzip'], lie }
}

function planOf(seed: number, { minutes, real, noGzip }: Asked): Plan {
  const backends = real ? 'real' : 'stand-ins'
  const made = makePlan({ seed, durationMs: Math.round(minutes * 60_000), backends, nats: hasNats() })
  return noGzip ? { ...made, shape: { ...made.shape, gzipRotated: false } } : made
}

/** The command that tries a seed's plan again. */
function again(seed: number, { minutes, real, noGzip, lie }: Asked): string {
  const more = [real ? ' --real' : '', noGzip ? ' --no-gzip' : '', lie === undefined ? '' : ` --lie ${lie}`]
  return `npm run test:chaos -- --seed ${seed} --minutes ${minutes}${more.join('')}`
}

async function main(): Promise<number> {
  const asked = readArgs()
  if (asked === undefined) {
    process.stderr.write(`${usage}\n`)
    return 2
  }
  const { first, count, lie } = asked
  const totals = createTotals()
  const failed: number[] = []
  const seeds = Array.from({ length: count }, (_, n) => first + n)
  async function worker(): Promise<void> {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const plan = planOf(seed, asked as Asked)
      const mark = asked?.atOnce === 1 ? '    ' : `    seed ${seed}: `
      if (asked?.atOnce === 1) say(planText(plan))
      const result = await runPlan({ plan, say: (line) => say(`${mark}${line}`), ...(lie ? { lie } : {}) })
      if (asked?.atOnce !== 1) say(planText(plan))
      say(summary(plan, result))
      totals.add(plan, result)
      if (result.violations.length > 0) failed.push(seed)
    }
  }
  if (asked.plan) {
    for (const seed of seeds) say(planText(planOf(seed, asked)))
    return 0
  }
  await Promise.all(Array.from({ length: asked.atOnce }, worker))
  say(totals.text(first))
  for (const seed of failed) say(`FAILED: seed ${seed}; the same plan again: ${again(seed, asked)}`)
  return failed.length > 0 ? 1 : 0
}

process.exitCode = await main()
