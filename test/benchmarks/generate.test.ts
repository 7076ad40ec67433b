// Guards the generator: the same seed gives the same bytes, and what it says it wrote is what a reader finds.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { burstOf, namespaceOf, sizesOf } from '../../benchmarks/generate/values.js'
import { parseMix } from '../../benchmarks/generate/mix.js'
import { inBurst, paceTraffic } from '../../benchmarks/generate/pace.js'
import { SEQ_FROM } from '../../benchmarks/generate/block.js'
import { createTraffic, type TrafficOptions } from '../../benchmarks/generate/traffic.js'
import { type Clock, systemClock } from '../../runtime/clock.js'

const FROM_MS = Date.UTC(2026, 0, 2, 3, 4, 5)
const folder = mkdtempSync(join(tmpdir(), 'millrace-generate-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let roots = 0

function generate(
  records: number,
  options: Partial<TrafficOptions> = {},
  burst = false,
): { files: Map<string, string>; levels: Readonly<Record<string, number>>; bytes: number } {
  const root = join(folder, String(roots++))
  mkdirSync(root)
  const traffic = createTraffic({ root, pods: 3, seed: 1, ...options })
  for (let written = 0; written < records; written += 500) {
    const count = Math.min(500, records - written)
    traffic.write(count, FROM_MS + written, FROM_MS + written + count, burst)
  }
  traffic.close()
  assert.equal(traffic.written(), records)
  return { files: readFiles(root), levels: traffic.levels(), bytes: traffic.bytes() }
}

function readFiles(root: string): Map<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file): [string, string] => [file.slice(root.length), readFileSync(file, 'utf8')])
      .sort(([a], [b]) => a.localeCompare(b)),
  )
}

/** Contents with pieces joined, per file. */
function contents(text: string): string[] {
  const all: string[] = []
  let open = ''
  for (const line of text.split('\n').slice(0, -1)) {
    const parts = /^(\S+) (stdout|stderr) ([FP]) (.*)$/.exec(line)
    assert.ok(parts, line.slice(0, 100))
    assert.equal(new Date(parts[1] ?? '').getUTCFullYear(), 2026)
    open += parts[4] ?? ''
    if (parts[3] === 'P') continue
    all.push(open)
    open = ''
  }
  assert.equal(open, '', 'the last piece ends a record')
  return all
}

function seqOf(content: string): number {
  return Number(/\bseq"?[:=](\d{10})/.exec(content)?.[1]) - SEQ_FROM
}

function demandEachOnce(files: ReadonlyMap<string, string>, records: number): string[] {
  const all = [...files.values()].flatMap(contents)
  const seqs = all.map(seqOf).sort((a, b) => a - b)
  assert.deepEqual(
    seqs,
    Array.from({ length: records }, (_, n) => n),
  )
  return all
}

test('the same seed gives the same bytes, another one does not', () => {
  const options = { partials: 0.01, texts: 0.1, rotateBytes: 100_000, skew: 1 }
  const [one, two, other] = [
    generate(2000, options),
    generate(2000, options),
    generate(2000, { ...options, seed: 2 }),
  ]
  assert.deepEqual(one.files, two.files)
  assert.deepEqual(one.levels, two.levels)
  assert.notDeepEqual([...one.files.values()], [...other.files.values()])
})

test('every record is there once, whole and readable, through pieces and rotations', () => {
  const { files, bytes, levels } = generate(3000, { partials: 0.01, texts: 0.05, rotateBytes: 50_000 })
  assert.ok(
    [...files.keys()].some((name) => /0\.log\.\d{8}-\d{6}$/.test(name)),
    'something was rotated',
  )
  // A rotation may fall into a record's pieces: files of one pod are joined in their order, the live one last.
  const pods = new Map<string, string>()
  for (const [name, text] of [...files].sort(([a], [b]) => order(a).localeCompare(order(b)))) {
    const pod = name.split('/')[1] ?? ''
    pods.set(pod, (pods.get(pod) ?? '') + text)
  }
  const all = demandEachOnce(pods, 3000)
  const json = all
    .filter((content) => content.startsWith('{'))
    .map((content) => JSON.parse(content) as object)
  assert.ok(json.length > 2700 && json.length < 3000, `${json.length} are JSON`)
  assert.ok(
    all.some((content) => content.length > 39_000),
    'some were written in pieces',
  )
  assert.equal(
    [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    bytes,
  )
  assert.equal(
    Object.values(levels).reduce((sum, count) => sum + count, 0),
    3000,
  )
})

/** `0.log` is the newest. */
function order(name: string): string {
  return name.endsWith('0.log') ? `${name}.99999999-999999` : name
}

test('no trace id, number or time is written twice', () => {
  const { files } = generate(5000, { pods: 1 })
  const records = demandEachOnce(files, 5000).map((text) => JSON.parse(text) as Record<string, string>)
  assert.equal(new Set(records.map((record) => record['trace_id'])).size, 5000)
  assert.equal(new Set(records.map((record) => record['ts'])).size, 5000)
})

test('more services than pods all get their turn, and a pod writes what its share says', () => {
  const { files } = generate(4000, { pods: 4, services: 40, sizes: [300, 300] })
  const services = new Set(
    demandEachOnce(files, 4000).map((text) => (JSON.parse(text) as { service_name: string }).service_name),
  )
  assert.ok(services.size >= 4 && services.size <= 40)
  const skewed = generate(3000, { pods: 2, skew: 1 })
  const [first, second] = [...skewed.files.values()]
    .map((text) => contents(text).length)
    .sort((a, b) => b - a)
  assert.ok(
    Math.abs((first ?? 0) - 2000) < 10 && Math.abs((second ?? 0) - 1000) < 10,
    `${first} and ${second}`,
  )
})

test('sizes are what was asked for', () => {
  for (const bytes of [128, 150, 366, 378, 390, 400, 1600, 16_000]) {
    const { files } = generate(50, { sizes: [bytes, bytes] })
    for (const content of demandEachOnce(files, 50)) assert.equal(content.length, bytes)
  }
})

test('a burst gives the mix of an outage to every fourth service only', () => {
  const { files } = generate(8000, { pods: 4, services: 4 }, true)
  const shares = [...files].map(([name, text]) => {
    const all = contents(text)
    const errors = all.filter((content) => /"level":"(error|fatal)"/.test(content))
    return [/shop_(.+)-5d9/.exec(name)?.[1], errors.length / all.length] as const
  })
  for (const [service, share] of shares)
    if (service === 'payment-api') assert.ok(share > 0.4, `${service} ${share}`)
    else assert.ok(share < 0.1, `${service} ${share}`)
})

test('rotated files beyond those that stay are deleted', () => {
  const { files } = generate(3000, { pods: 1, rotateBytes: 20_000, keepRotated: 2 })
  assert.equal(files.size, 3)
})

test('pacing stops at its number of records, and at a stop', async () => {
  const root = join(folder, 'paced')
  mkdirSync(root)
  const traffic = createTraffic({ root, pods: 2, seed: 1 })
  await paceTraffic(traffic, { rate: 0, records: 25_000 }, systemClock, new AbortController().signal)
  assert.equal(traffic.written(), 25_000)
  await paceTraffic(traffic, { rate: 1000 }, systemClock, AbortSignal.abort())
  traffic.close()
  demandEachOnce(readFiles(root), 25_000)
})

test('a rate that no disk keeps up with ends in its time, and at a stop', async () => {
  const root = join(folder, 'too-fast')
  mkdirSync(root)
  const traffic = createTraffic({ root, pods: 2, seed: 1 })
  let nowMs = 1000
  const clock: Clock = { ...systemClock, monotonic: () => (nowMs += 5) }
  await paceTraffic(traffic, { rate: 1e12, durationMs: 50 }, clock, new AbortController().signal)
  const written = traffic.written()
  assert.ok(written > 0 && written < 200_000, `${written} records`)
  const stop = new AbortController()
  setImmediate(() => stop.abort())
  await paceTraffic(traffic, { rate: 1e12 }, clock, stop.signal)
  traffic.close()
  assert.ok(traffic.written() - written < 200_000, `${traffic.written() - written} more records`)
})

test('a tick that owes more than one step writes all of it, and no more', async () => {
  const root = join(folder, 'steps')
  mkdirSync(root)
  const traffic = createTraffic({ root, pods: 1, seed: 1, sizes: [128, 128] })
  const stop = new AbortController()
  let nowMs = 0
  const after: Clock['after'] = (delayMs, run) => {
    if (nowMs > 0) stop.abort()
    else nowMs = delayMs
    return systemClock.after(0, run)
  }
  const clock: Clock = { ...systemClock, monotonic: () => nowMs, after }
  await paceTraffic(traffic, { rate: 5_000_000 }, clock, stop.signal)
  traffic.close()
  assert.ok(Math.abs(traffic.written() - 50_000) <= 5, `${traffic.written()} records`)
})

test('what cannot be meant is refused with the form that can', () => {
  assert.throws(() => parseMix('info=80,loud=20'), /"loud=20" of "info=80,loud=20" is not understood/)
  assert.throws(() => parseMix('info='), /not understood/)
  for (const mix of ['info=Infinity,error=1', 'info=1e308,warn=1e308', 'info=1=2', 'info=1,info=2'])
    assert.throws(() => parseMix(mix), /not understood/, mix)
  assert.deepEqual(parseMix('info=3,error=1'), { INFO: 0.75, ERROR: 0.25 })
  assert.throws(() => sizesOf('big'), /expected a size/)
  assert.throws(() => sizesOf('400..100'), /expected a size/)
  for (const size of ['1', '127', '200..300..400', '2MB', '', '200..'])
    assert.throws(() => sizesOf(size), /expected a size/, size)
  assert.deepEqual(sizesOf('200..400'), [200, 400])
  assert.deepEqual(sizesOf('4KiB'), [4096, 4096])
  for (const namespace of ['', 'a_b c', '../../etc', 'Shop', 'shop-', 'x'.repeat(64)])
    assert.throws(() => namespaceOf(namespace), /--namespace: got/, namespace)
  assert.equal(namespaceOf('team-7'), 'team-7')
  assert.throws(() => burstOf('60s:5s'), /every:for:factor/)
  for (const burst of ['60s:5s:3:9', '60s:5s:Infinity'])
    assert.throws(() => burstOf(burst), /every:for:factor/)
  const burst = burstOf('60s:5s:3')
  assert.deepEqual(burst, { everyMs: 60_000, lengthMs: 5000, factor: 3 })
  assert.deepEqual([inBurst(0, burst), inBurst(56_000, burst), inBurst(60_000, burst)], [false, true, false])
})
