// npm run test:chaos: runs plans of faults from seeds and ends with 1 when the oracle found a violation.
import { parseArgs } from 'node:util'
import { hasNats } from './nats.js'
import { makePlan, type Plan, planText } from './plan.js'
import { BOUNDS, type RunResult, runPlan } from './run.js'

const usage = `usage: test:chaos [--seed N] [--seeds COUNT] [--minutes M] [--real] [--plan] [--no-gzip] [--lie es|loki]
  --seed N      the first seed; left out: a fresh one
  --seeds N     so many seeds in a row, one run each (default 1)
  --minutes M   how long the faults of one run go on (default 1)
  --real        against the servers of \`npm run backends\`: kills and the network, no faults of stand-ins
  --plan        print the plans and run nothing
  --no-gzip     rotated logs stay unpacked, whatever the plan says
  --lie NAME    sabotage: one acknowledged write to es or loki is lost on its way; the run must fail`

const say = (line: string) => void process.stdout.write(`${line}\n`)
const mib = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`
const list = (counts: ReadonlyMap<string, number>) =>
  [...counts]
    .toSorted()
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none'

function summary(plan: Plan, result: RunResult): string {
  const { shape } = plan
  const lines = [
    `records      ${result.records} demanded of each backend, ${result.unsure} pushed without an answer (${result.unsureStored} of them stored, both backends together)`,
    `faults       ${list(result.faults)}`,
    `not possible ${list(result.notMade)}`,
    `processes    ${shape.nodes} nodes, started ${result.starts} times`,
    `pushes       ${list(result.answers)}`,
    `dead letters ${result.deadLetters}, ${result.storedAndBuried} of them stored as well`,
    `copies       ${result.copies} of entries with the same record id`,
    `spoiled      ${result.spoiled} records in frames made unreadable: ${result.spoiledLost} lost, ${result.spoiledTwice} read again (both backends together)`,
    `bounds       RSS ${mib(result.peakRssBytes)} of ${mib(BOUNDS.rssBytes)}, journal ${mib(result.peakJournalBytes)} of ${mib(shape.journalBytes)}, ready again ${(result.liveAgainMs / 1000).toFixed(1)} of ${BOUNDS.liveAgainMs / 1000} s, delivered ${(result.deliveredMs / 1000).toFixed(1)} of ${BOUNDS.deliveredMs / 1000} s`,
    `seconds      ${result.seconds.toFixed(0)}`,
  ]
  return lines.map((line) => `  ${line}`).join('\n')
}

interface Totals {
  runs: number
  records: number
  violations: number
  readonly faults: Map<string, number>
}

async function runSeed(plan: Plan, lie: 'es' | 'loki' | undefined, totals: Totals): Promise<void> {
  say(planText(plan))
  const result = await runPlan({ plan, say: (line) => say(`    ${line}`), ...(lie ? { lie } : {}) })
  say(summary(plan, result))
  for (const violation of result.violations) say(`  VIOLATION    ${violation}`)
  for (const [n, log] of result.logs.entries()) say(`--- the end of node ${n}'s log\n${log}`)
  totals.runs++
  totals.records += result.records
  totals.violations += result.violations.length
  for (const [kind, count] of result.faults) totals.faults.set(kind, (totals.faults.get(kind) ?? 0) + count)
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '1' },
      real: { type: 'boolean', default: false },
      plan: { type: 'boolean', default: false },
      'no-gzip': { type: 'boolean', default: false },
      lie: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const first = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
  const [count, minutes] = [Number(values.seeds), Number(values.minutes)]
  const { lie } = values
  const lieWrong = lie !== undefined && lie !== 'es' && lie !== 'loki'
  if (values.help || !Number.isInteger(first) || !(count >= 1) || !(minutes > 0) || lieWrong) {
    process.stderr.write(`${usage}\n`)
    return 2
  }
  const totals: Totals = { runs: 0, records: 0, violations: 0, faults: new Map() }
  for (let seed = first; seed < first + count; seed++) {
    const backends = values.real ? 'real' : 'stand-ins'
    const made = makePlan({ seed, durationMs: Math.round(minutes * 60_000), backends, nats: hasNats() })
    const plan = values['no-gzip'] ? { ...made, shape: { ...made.shape, gzipRotated: false } } : made
    if (values.plan) say(planText(plan))
    else await runSeed(plan, lieWrong ? undefined : lie, totals)
  }
  if (values.plan) return 0
  say(
    `${totals.runs} runs from seed ${first}: ${totals.records} records in each backend, faults: ${list(totals.faults)}; ${totals.violations} violations`,
  )
  if (totals.violations > 0)
    say(`again: npm run test:chaos -- ${process.argv.slice(2).join(' ')} --seed ${first}`)
  return totals.violations > 0 ? 1 : 0
}

process.exitCode = await main()
