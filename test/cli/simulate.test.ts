// Guards `millrace simulate`: live rates follow the lines' own times, archives count by weight, files are merged by time, and odd input is told.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { runSimulation, type SimulationResult } from '../../cli/simulate/run.js'
import { simulationText } from '../../cli/simulate/output.js'
import { parseConfig } from '../../runtime/config/load.js'
import { makeWorkspace } from './millrace.js'

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-simulate-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const START_MS = Date.UTC(2026, 10, 23, 10)
const config = (sampling: string, more = '') => `
sources:
  pods: { type: kubernetes, path: ./pods, exclude_namespaces: [kube-system] }
  app: { type: file, include: [logs/*.log], fields: { service_name: web, namespace: shop } }
sampling: ${sampling}
backends: { vault: { type: archive, path: ./archive } }
${more}`
const parsed = (text: string) => parseConfig(text, path.join(folder, 'millrace.yaml'), {}).config

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

async function simulated(
  from: readonly string[],
  ...samplings: readonly string[]
): Promise<SimulationResult> {
  const sides = samplings.map((text, n) => ({
    name: n === samplings.length - 1 ? ('new' as const) : ('current' as const),
    file: `${n}.yaml`,
    config: parsed(config(text)),
  }))
  return runSimulation({ sides, from })
}

/** `service/level in kept…` */
function rowsOf({ rows }: SimulationResult): Record<string, readonly number[]> {
  return Object.fromEntries(
    rows.map(({ service, level, in: all, kept }) => [
      `${service} ${level}`,
      [all.records, ...kept.map(({ records }) => Math.round(records))],
    ]),
  )
}

const time = (second: number, n = 0) => new Date(START_MS + second * 1000 + n).toISOString()
const runtime = (second: number, n: number, content: string) =>
  `${time(second, n).replace('Z', '000000Z')} stdout F ${content}\n`
/** So many lines in each of so many seconds. */
const steady = (seconds: number, perSecond: number, line: (second: number, n: number) => string): string =>
  Array.from({ length: seconds * perSecond }, (_, n) =>
    line(Math.floor(n / perSecond), Math.floor(((n % perSecond) * 1000) / perSecond)),
  ).join('')
const info = (second: number, n: number) => runtime(second, n, '{"level":"info","msg":"x"}')
const LIVE = '{ info: { target_per_second: 20 } }'

test('a live rate follows the lines’ own times, for two configurations in one pass', async () => {
  const file = write('a/shop_cart-0_u1/main/0.log', steady(60, 100, info))
  const result = await simulated([file], '{ tiers: { info: 0.5 } }', LIVE)
  const [all = 0, current = 0, fresh = 0] = rowsOf(result)['cart INFO'] ?? []
  assert.deepEqual([all, current], [6000, 3000])
  // Four or five seconds in full, then 20 a second.
  assert.ok(fresh >= 4 * 100 + 55 * 20 && fresh <= 5 * 100 + 56 * 20, String(fresh))
  assert.equal(result.input.spanMs, 60_000)
  assert.equal(result.perDay[0]?.in.records, 6000 * 1440)
})

test('files that overlap in time are one stream, gzip and rotation among them', async () => {
  const half = steady(60, 50, info)
  const [early, late] = [half.slice(0, half.length / 2), half.slice(half.length / 2)]
  const cut = early.lastIndexOf('\n') + 1
  write('b/shop_cart-0_u1/main/0.log.20261123-100030.gz', gzipSync(early.slice(0, cut)))
  write('b/shop_cart-0_u1/main/0.log', early.slice(cut) + late)
  write('b/shop_cart-1_u2/main/0.log', steady(60, 50, info))
  const merged = await simulated([path.join(folder, 'b')], LIVE)
  const [all = 0, kept = 0] = rowsOf(merged)['cart INFO'] ?? []
  assert.equal(all, 6000)
  assert.ok(kept >= 4 * 100 + 55 * 20 && kept <= 5 * 100 + 56 * 20, String(kept))
})

test('rules hold for the seconds in which their condition does', async () => {
  const line = (second: number, n: number) => {
    const bad = second >= 30 && second < 40
    return runtime(
      second,
      n,
      JSON.stringify({ level: 'info', status: bad && n % 100 === 0 ? 503 : 200, latency_ms: bad ? 300 : 20 }),
    )
  }
  const file = write('c/shop_cart-0_u1/main/0.log', steady(60, 50, line))
  const rules = '{ when: "error_rate > 0.05 AND p99_latency > 200ms", for: 5s }'
  const result = await simulated(
    [file],
    '{ tiers: { info: 0.1 } }',
    `{ tiers: { info: 0.1 }, rules: [${rules}] }`,
  )
  const [, current = 0, fresh = 0] = rowsOf(result)['cart INFO'] ?? []
  assert.equal(current, 300)
  // Some 10 to 25 seconds of 50 records are kept in full.
  assert.ok(fresh > 300 + 8 * 45 && fresh < 300 + 26 * 45, String(fresh))
})

test('an archive gives what its records stand for, in whatever order they lie in it', async () => {
  const record = (second: number, n: number, rate?: number) =>
    `${JSON.stringify({ timestamp: time(second, n), log_level: 'INFO', service_name: 'cart', pod_uid: 'u', namespace: 'shop', cluster_id: 'c', log_type: 'app', ...(rate === undefined ? {} : { sample_rate: rate }), message: 'x' }).slice(0, -1)},"batch_id":"b","rid":"b-1"}\n`
  // 100 a second at a rate of 0.1 are 10 in the archive; the second half of the minute lies before the first.
  const lines = steady(60, 10, (second, n) => record((second + 30) % 60, n, 0.1))
  const file = write(
    'archive/2026/11/23/10.n1.0.ndjson.gz',
    Buffer.concat([gzipSync(lines.slice(0, 5000)), gzipSync(lines.slice(5000))]),
  )
  const result = await simulated(['archive'], LIVE)
  const [all = 0, kept = 0] = rowsOf(result)['cart INFO'] ?? []
  assert.equal(all, 6000)
  assert.ok(kept >= 4 * 100 + 55 * 20 && kept <= 5 * 100 + 56 * 20, String(kept))
  assert.equal(result.input.lines, 600)
  assert.ok(result.notes.some((note) => note.startsWith('the archive holds what was kept')))
  assert.ok(!result.notes.some((note) => note.includes('came late')))
  assert.deepEqual(rowsOf(await simulated([file], LIVE)), rowsOf(result))
  const odd = write('archive2/2026/11/23/11.n1.0.ndjson', record(3600, 0, 0.3).repeat(3))
  assert.deepEqual(rowsOf(await simulated([odd], '{ tiers: { info: 1 } }')), { 'cart INFO': [10, 10] })
})

test('lines without a time are spread evenly, and it is said what was assumed', async () => {
  const file = write('logs/plain.log', 'something happened\n'.repeat(200))
  const side = { name: 'new' as const, file: 'x', config: parsed(config(LIVE)) }
  const day = await runSimulation({ sides: [side], from: [file] })
  assert.deepEqual(rowsOf(day), { 'web unknown': [200, 200] })
  assert.equal(day.input.fromMs, undefined)
  assert.ok(day.notes.some((note) => /no line says its time: the input is taken as one day's/.test(note)))
  const quick = await runSimulation({ sides: [side], from: [file], span: 4000 })
  assert.equal(quick.perDay[0]?.in.records, 200 * 21_600)
  const timed = write(
    'logs/timed.log',
    `{"ts":"${time(0)}","msg":"a"}\n{"msg":"b"}\n{"ts":"${time(5)}","msg":"c"}\n`,
  )
  const mixed = await simulated([timed, file], LIVE)
  assert.equal(mixed.input.spanMs, 6000)
  assert.ok(
    mixed.notes.some((note) => note.startsWith('lines that say no time: 201;')),
    mixed.notes.join('\n'),
  )
})

test('one wild time does not move the clock, all lines of one second are told, and a day without an end is not divided by', async () => {
  const wild = write('wild.log', `{"ts":"${time(0)}"}\n{"ts":"2099-01-01T00:00:00Z"}\n{"ts":"${time(9)}"}\n`)
  const result = await simulated([wild], LIVE)
  assert.equal(result.input.spanMs, 10_000)
  assert.ok(result.notes.some((note) => note.endsWith('was not believed: 1')))
  const moment = await simulated([write('moment.log', `{"ts":"${time(0)}"}\n`.repeat(3))], LIVE)
  assert.equal(moment.perDay[0]?.in.records, 3 * 86_400)
  assert.ok(moment.notes.some((note) => note.startsWith('all lines are of the same second')))
  const gap = await simulated(
    [write('gap.log', `{"ts":"${time(0)}"}\n`.repeat(2) + `{"ts":"${time(86_400 * 200)}"}\n`.repeat(2))],
    LIVE,
  )
  assert.equal(gap.input.spanMs, (86_400 * 200 + 1) * 1000)
})

test('a gzip file of which nothing can be read is corrupt, not empty', async () => {
  const bytes = gzipSync('{"level":"info","service_name":"web"}\n'.repeat(100))
  bytes.fill(0xff, 12)
  const corrupt = write('corrupt/a.log.gz', bytes)
  const tier = '{ tiers: { info: 1 } }'
  await assert.rejects(simulated([corrupt], tier), {
    message: /no line can be read: .*a\.log\.gz is corrupt/,
  })
  const sound = write('corrupt/b.log', '{"level":"info","service_name":"web"}\n')
  const { notes } = await simulated([corrupt, sound], tier)
  assert.ok(notes.some((note) => /a\.log\.gz is corrupt; no line of it could be read/.test(note)))
})

test('a pipe is read, although it can be read only once', {
  skip: process.platform === 'win32',
}, async () => {
  const pipe = path.join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  createWriteStream(pipe).end('{"level":"info","service_name":"web"}\n'.repeat(5))
  const { input } = await simulated([pipe], '{ tiers: { info: 1 } }')
  assert.equal(input.lines, 5)
})

test('lines that are not the runtime’s, a torn gzip file and an excluded namespace are counted or named', async () => {
  const whole = gzipSync(
    steady(20, 50, (second, n) =>
      runtime(second, n, `{"level":"info","n":${n},"r":${Math.sin(n * second)}}`),
    ),
  )
  const torn = write('d/shop_cart-0_u1/main/0.log.20261123-100030.gz', whole.subarray(0, whole.length - 500))
  const odd = write('d/shop_web-0_u3/main/0.log', `${info(0, 0)}not of the runtime\n${info(1, 0)}`)
  const out = write('d/kube-system_dns-0_u4/main/0.log', info(0, 0))
  const result = await simulated([torn, odd, out], LIVE)
  assert.ok(result.broken)
  const notes = result.notes.join('\n')
  assert.match(notes, /0\.log\.20261123-100030\.gz is cut off; what came before was read/)
  assert.match(notes, /not as a container runtime writes them.*: 1/)
  assert.match(notes, /not read, the source leaves their namespace out: .*dns-0/)
  const rows = rowsOf(result)
  assert.deepEqual(rows['web INFO'], [2, 2])
  assert.ok((rows['cart INFO']?.[0] ?? 0) > 500 && rows['dns INFO'] === undefined)
})

test('what it costs follows from the prices, and the text shows both and the difference', async () => {
  const file = write('e/shop_cart-0_u1/main/0.log', steady(10, 10, info))
  const prices =
    'report: { currency: EUR, cost: { vault: { ingested_per_gb: 1000, stored_per_gb_day: 10, retention: 10d, size_factor: 0.5 } } }'
  const side = (name: 'current' | 'new', rate: number) => ({
    name,
    file: `${name}.yaml`,
    config: parsed(config(`{ tiers: { info: ${rate} } }`, prices)),
  })
  const result = await runSimulation({ sides: [side('current', 1), side('new', 0.5)], from: [file] })
  const [current, fresh] = result.costs.map(({ vault }) => vault)
  const kept = result.perDay[0]?.kept[0]?.bytes ?? 0
  assert.equal(current?.bytesPerDay, kept / 2)
  assert.ok(Math.abs((current?.price?.perDay ?? 0) - (kept / 2e9) * (1000 + 100)) < 1e-9)
  assert.ok((fresh?.bytesPerDay ?? 0) < kept / 2)
  const text = simulationText(result, 50)
  assert.match(text, /^shop\/cart {2}INFO +864,000 .* 864,000 +100\.0 .* 432,000 +50\.0 .* -432,000$/m)
  assert.match(text, /^difference +-.* EUR$/m)
})

test('the command refuses what it cannot read with exit code 2', async () => {
  const { folder: at, run, remove } = makeWorkspace()
  try {
    writeFileSync(path.join(at, 'millrace.yaml'), config(LIVE))
    writeFileSync(path.join(at, 'empty.log'), '')
    writeFileSync(path.join(at, 'a.log'), info(0, 0))
    const cases: readonly [string[], RegExp][] = [
      [['--from', 'none.log'], /^millrace: --from: none\.log does not exist\n$/],
      [['--from', 'empty.log'], /holds no lines; there is nothing to simulate/],
      [['--from', 'no*.log'], /no file matches no\*\.log/],
      [['--from', 'archive'], /--from archive: there is no file in .*archive/],
      [
        ['--from', 'a.log', '--source', 'x'],
        /there is no file, http or stdin source "x"; the configuration has app/,
      ],
      [[], /required option '--from/],
    ]
    const outcomes = await Promise.all(cases.map(([args]) => run(['simulate', ...args])))
    outcomes.forEach(({ code, stderr }, n) => {
      assert.match(stderr, cases[n]?.[1] as RegExp)
      assert.equal(code, 2)
    })
    const good = await run(['simulate', '--from', 'a.log', '--json'])
    const told = JSON.parse(good.stdout) as { counted: { total: { in: { records: number } } } }
    assert.deepEqual([good.code, told.counted.total.in.records], [0, 1])
  } finally {
    remove()
  }
})
