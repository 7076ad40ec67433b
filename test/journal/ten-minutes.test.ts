// A backend is away for ten minutes and the disk has a bound: what gives, and when, for each journal.at_bound; counted, and alerted on.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { parse, stringify } from 'yaml'
import type { JournalOptions } from '../../protocol/config/node.js'
import { METRICS } from '../../runtime/metric-declarations.js'
import type { MetricName } from '../../runtime/metrics.js'
import { findTool, repository, run as runTool, skipWithout } from '../k8s/tools.js'
import { writer } from './harness.js'
import { type Outage, outage } from './outage.js'

const MINUTE_MS = 60_000
/** One frame of some 3 KiB each. */
const STEP_MS = 5000
const STEPS = (10 * MINUTE_MS) / STEP_MS
/** Some 45 frames, so that it is full before the fourth minute has passed. */
const BOUND = { bytes_max: 160_000, segment_bytes: 16_000 }
const WATCHED: readonly MetricName[] = [
  'journal_bytes',
  'journal_bytes_max',
  'journal_blocked',
  'journal_dropped_records_total',
  'journal_released_records_total',
  'write_lag_seconds',
]

type Series = Map<string, (number | undefined)[]>

interface Outcome {
  readonly scene: Outage
  /** When the first frame was not taken, ms after the outage began; undefined: all were. */
  readonly waitsAtMs: number | undefined
  /** Frames that the sources had to keep. */
  readonly kept: number
  /** What Prometheus would have seen each minute. */
  readonly series: Series
}

/** es is away from the first to the last of ten minutes. */
async function tenMinutes(t: TestContext, atBound: JournalOptions['at_bound']): Promise<Outcome> {
  const scene = await outage(t, { ...BOUND, at_bound: atBound }, ['es', 'loki'], true)
  const { journal } = scene
  const startMs = journal.clock.now()
  const series: Series = new Map()
  let waitsAtMs: number | undefined
  let next = 0
  for (let step = 0; step < STEPS; step++) {
    const endMs = startMs + (step + 1) * STEP_MS
    // What the journal has no slot for stays in its file.
    if (next < step + 1 && (await scene.append(next))) next++
    else {
      waitsAtMs ??= step * STEP_MS
      next = Math.max(next, scene.committed())
    }
    await journal.clock.advance(Math.max(0, endMs - journal.clock.now()))
    scene.look()
    if (((step + 1) * STEP_MS) % MINUTE_MS === 0) watch(series, journal.metrics, (step + 1) / 12)
  }
  return { scene, waitsAtMs, kept: STEPS - scene.committed(), series }
}

function watch(series: Series, metrics: ReadonlyMap<string, number>, minute: number): void {
  for (const [key, value] of metrics) {
    const [name = '', values = ''] = key.slice(0, -1).split('{')
    if (!WATCHED.includes(name as MetricName)) continue
    const labels = METRICS[name as MetricName].labels.map(
      (label, at) => `${label}="${values.split(',')[at]}"`,
    )
    const known = series.get(`log_pipeline_${name}{${['node="n1"', ...labels].join(', ')}}`) ?? []
    series.set(`log_pipeline_${name}{${['node="n1"', ...labels].join(', ')}}`, known)
    while (known.length < minute) known.push(undefined)
    known.push(value)
  }
}

const ALERTS = [
  'MillraceSourcesWait',
  'MillraceRecordsGivenUp',
  'MillraceRecordsReleased',
  'MillraceJournalFilling',
]

/** Prometheus' own judgement of these figures: which of the alerts fire at the end of the outage. */
function demandAlerts(t: TestContext, series: Series, fire: readonly string[]): void {
  const promtool = findTool('promtool')
  const { skip } = skipWithout(promtool, "promtool (Debian's package prometheus)")
  if (promtool === undefined) return t.diagnostic(`not asked of Prometheus: ${skip}`)
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-outage-'))
  try {
    const file = path.join(repository, 'k8s/components/monitoring/alerts.yaml')
    const { spec } = parse(readFileSync(file, 'utf8')) as { spec: unknown }
    const bare = JSON.stringify(spec, (key, value: unknown) => (key === 'annotations' ? undefined : value))
    writeFileSync(path.join(folder, 'rules.yaml'), bare)
    const values = (each: readonly (number | undefined)[]) => each.map((value) => value ?? '_').join(' ')
    const input = [...series].map(([name, each]) => ({ series: name, values: values(each) }))
    // All that fires is looked at through the series that Prometheus keeps of it.
    const expr = `count by (alertname) (ALERTS{alertstate="firing", alertname=~"${ALERTS.join('|')}"})`
    const expected = fire.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 }))
    const tests = {
      rule_files: ['rules.yaml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: input,
          promql_expr_test: [{ expr, eval_time: '10m', exp_samples: expected }],
        },
      ],
    }
    writeFileSync(path.join(folder, 'tests.yaml'), stringify(tests))
    const { code, output } = runTool(promtool, ['test', 'rules', path.join(folder, 'tests.yaml')])
    assert.equal(code, 0, output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** es is back: what it gets. */
async function comesBack({ scene }: Outcome): Promise<number[]> {
  const es = writer(scene.journal, 'es')
  es.subscribe()
  const seen: number[] = []
  for (let turn = 0; turn < 200; turn++) {
    await scene.journal.clock.advance(100)
    scene.look()
    const frames = es.frames()
    seen.push(...frames.map(({ seq }) => seq))
    es.done(frames)
  }
  return seen.toSorted((a, b) => a - b)
}

const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)
const bytesOf = ({ scene }: Outcome) => scene.journal.metrics.get('journal_bytes{}') ?? 0
const recordsOf = ({ scene }: Outcome, name: MetricName) => scene.journal.metrics.get(`${name}{es}`) ?? 0

test('block: the disk takes the first minutes, then sources wait, Loki stands still with them, and nothing is lost', async (t) => {
  const outcome = await tenMinutes(t, 'block')
  const { scene, waitsAtMs = 0, kept, series } = outcome
  assert.ok(waitsAtMs > 3 * MINUTE_MS && waitsAtMs < 5 * MINUTE_MS, `sources wait from ${waitsAtMs} ms`)
  assert.ok(kept > 60, `${kept} frames are still in the files`)
  assert.ok(bytesOf(outcome) <= BOUND.bytes_max)
  assert.equal(scene.stored.size, scene.committed(), 'Loki has all that was taken, and gets nothing new')
  const status = scene.journal.take('status').at(-1)
  assert.equal(status?.ready, false)
  assert.match(status.reason ?? '', /bytes_max reached.*es is \d+ frames behind/)
  demandAlerts(t, series, ['MillraceSourcesWait', 'MillraceJournalFilling'])
  const seen = await comesBack(outcome)
  assert.deepEqual(seen, upTo(0, scene.committed()), 'all that was taken, and what then came in')
  assert.equal(scene.journal.take('status').at(-1)?.ready, true)
  assert.equal(recordsOf(outcome, 'journal_dropped_records_total'), 0)
})

test('release: nobody waits, Loki goes on, and the audit has every frame that es will not get from the journal', async (t) => {
  const outcome = await tenMinutes(t, 'release')
  const { scene, waitsAtMs, kept, series } = outcome
  assert.equal(waitsAtMs, undefined)
  assert.equal(kept, 0)
  assert.equal(scene.stored.size, STEPS)
  assert.ok(bytesOf(outcome) <= BOUND.bytes_max + BOUND.segment_bytes, `${bytesOf(outcome)}`)
  demandAlerts(t, series, ['MillraceRecordsReleased', 'MillraceJournalFilling'])
  const released = recordsOf(outcome, 'journal_released_records_total') / 2
  const seen = await comesBack(outcome)
  assert.deepEqual(seen, upTo(released, STEPS))
  for (const seq of upTo(0, released)) assert.ok(scene.queued.has(seq), `the audit has frame ${seq}`)
  assert.equal(recordsOf(outcome, 'journal_dropped_records_total'), 0)
})

test('drop_oldest: nobody waits, Loki goes on, and what es loses is counted record by record', async (t) => {
  const outcome = await tenMinutes(t, 'drop_oldest')
  const { scene, waitsAtMs, series } = outcome
  assert.equal(waitsAtMs, undefined)
  assert.equal(scene.stored.size, STEPS)
  demandAlerts(t, series, ['MillraceRecordsGivenUp', 'MillraceJournalFilling'])
  const dropped = recordsOf(outcome, 'journal_dropped_records_total') / 2
  assert.ok(dropped > 60)
  assert.deepEqual(await comesBack(outcome), upTo(dropped, STEPS))
})
