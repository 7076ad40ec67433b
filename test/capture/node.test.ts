// Captures in a whole node, run as a user runs it: a panic in a log ends up beside the archive, and the command line shows and fetches it.
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { constants, gunzipSync } from 'node:zlib'
import { type Desk, demandNoStack, openDesk, type Running } from '../node/desk.js'
import { startS3StandIn } from '../stand-ins/s3.js'
import { criLine, logFile, UID, unpack } from './scene.js'

let cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
  cleanups = []
})

function desk(): Desk {
  const made = openDesk()
  cleanups.push(() => made.remove())
  return made
}

const config = (capture: string): string => `
node: { id: node-1, cluster_id: prod, data_dir: data }
http: { listen: 127.0.0.1:0 }
sources: { pods: { type: kubernetes, path: pods, api: off, poll: 10ms, rescan: 50ms } }
sampling: { tiers: { fatal: 0, error: 0, warn: 0, info: 0, debug: 0, trace: 0 } }
backends: { vault: { type: archive, path: archive } }
capture: { cgroup_root: cgroup, settle: 100ms${capture} }
`

interface Listed {
  readonly key: string
  readonly place: string
}

async function list(at: Desk): Promise<Listed[]> {
  const { stdout, stderr, code } = await at.run('capture', 'list', '--json')
  assert.deepEqual([code, stderr], [0, ''])
  return JSON.parse(stdout) as Listed[]
}

const LINES = 500
const OTHER_UID = '11111111-2222-3333-4444-555555555555'

interface Kept {
  readonly message: string
  readonly pod_uid: string
  readonly sample_rate?: number
}

/** Also while the node writes: what is torn at a file's end is not there yet. */
function archived({ folder }: Desk): Kept[] {
  const root = join(folder, 'archive')
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ndjson.gz'))
    .flatMap((name) => {
      const bytes = readFileSync(join(root, name))
      if (bytes.length === 0) return []
      const text = gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString()
      return text.split('\n').slice(0, -1)
    })
    .map((line) => JSON.parse(line) as Kept)
}

const keptBy = (at: Desk, word: string): number =>
  archived(at).filter(({ message }) => message.includes(word)).length

async function metricsUntil(look: () => Promise<string>, holds: (text: string) => boolean): Promise<void> {
  for (let n = 0; n < 400; n++) {
    if (holds(await look())) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(await look())
}

async function stop(node: Running): Promise<void> {
  node.child.kill('SIGTERM')
  assert.equal((await node.ended).code, 0)
}

test('a panic that sampling drops is captured beside the archive, listed and fetched', async () => {
  const at = desk()
  at.write('millrace.yaml', config(''))
  const log = at.write(logFile(), criLine('hello', 1000))
  assert.match(
    (await at.run('capture', 'list')).stdout,
    /^no captures in .*archive\/captures and none on this disk/,
  )
  const node = at.start('run')
  await node.address()
  appendFileSync(log, criLine('panic: boom') + criLine('') + criLine('goroutine 1 [running]:'))
  await node.said(/capture stored/)
  const status = (await (await fetch(`http://${await node.address()}/status`)).json()) as {
    actors: Record<string, { group: string; detail: Record<string, unknown> }>
  }
  assert.equal(status.actors['capture']?.group, 'control')
  assert.deepEqual(
    [status.actors['capture']?.detail['captured'], status.actors['capture']?.detail['stored']],
    [1, 1],
  )
  await stop(node)
  const [found, ...more] = await list(at)
  assert.deepEqual(more, [])
  assert.match(found?.key ?? '', /^prod\/shop\/fallback-cart-7d9c5b8f6d-x2k4p-.*\.tar\.gz$/)
  const name = found?.key.split('/')[2] ?? ''
  assert.match((await at.run('capture', 'list')).stdout, /^WHEN .*\n\S+ +prod +shop +\d+ +fallback-/)
  assert.equal((await at.run('capture', 'get', name)).code, 0)
  const files = await unpack(readFileSync(join(at.folder, name)))
  assert.equal(files['stack.txt'], 'panic: boom\n\ngoroutine 1 [running]:\n')
  assert.equal((JSON.parse(files['meta.json'] ?? '') as { pod_uid: string }).pod_uid, UID)
  const out = await at.run('capture', 'get', found?.key ?? '', '-o', 'out.tar.gz')
  assert.match(out.stdout, /^out\.tar\.gz: \d+ bytes\n$/)
  assert.deepEqual(readFileSync(join(at.folder, 'out.tar.gz')), readFileSync(join(at.folder, name)))
})

test('a pod that was captured is kept in full from then on, and no other', async () => {
  const at = desk()
  at.write('millrace.yaml', config(''))
  const log = at.write(logFile(), criLine('hello'))
  const other = at.write(logFile().replace(UID, OTHER_UID), criLine('hello'))
  const node = at.start('run')
  const address = await node.address()
  appendFileSync(log, criLine('panic: boom') + criLine('') + criLine('goroutine 1 [running]:'))
  const metrics = async () => (await fetch(`http://${address}/metrics`)).text()
  const read = (text: string) => Number(/^log_pipeline_records_read_total{.*} (\d+)$/m.exec(text)?.[1] ?? 0)
  await metricsUntil(metrics, (text) => /^log_pipeline_sampling_boosts(?:{.*})? 1$/m.test(text))
  const before = read(await metrics())
  // The streams' new rates reach the thread that samples within a moment of the decision: a first line is looked for.
  for (let n = 0; keptBy(at, 'probe') === 0 && n < 300; n++) {
    appendFileSync(log, criLine(`probe ${n}`))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const lines = Array.from({ length: LINES }, (_, n) => criLine(`DEBUG after ${n}`)).join('')
  appendFileSync(log, lines)
  appendFileSync(other, lines)
  await metricsUntil(metrics, (text) => read(text) >= before + 2 * LINES)
  await stop(node)
  const kept = archived(at).filter(({ message }) => message.includes('after '))
  assert.deepEqual([...new Set(kept.map(({ pod_uid }) => pod_uid))], [UID], 'only the pod that has panicked')
  assert.deepEqual(
    kept.map(({ message }) => Number(/after (\d+)/.exec(message)?.[1])).toSorted((a, b) => a - b),
    Array.from({ length: LINES }, (_, n) => n),
  )
  assert.ok(kept.every((record) => record.sample_rate === undefined))
})

test('a store that is away: the capture is listed and fetched from the disk, and goes out by the next run', async () => {
  const at = desk()
  const key = { accessKeyId: 'AK', secretAccessKey: 'very-secret', region: 'us-east-1' }
  const s3 = await startS3StandIn({ ...key, bucket: 'words' })
  cleanups.push(() => s3.close())
  s3.setFaults({ status: 503, on: 'all' })
  const store = `{ type: s3, endpoint: "${s3.url}", bucket: words, path_style: true, access_key_id: AK, secret_access_key_file: secret }`
  at.write('millrace.yaml', config(`, store: ${store}`))
  writeFileSync(join(at.folder, 'secret'), `${key.secretAccessKey}\n`)
  const log = at.write(logFile(), '')
  const node = at.start('run')
  await node.address()
  appendFileSync(log, criLine('Traceback (most recent call last):') + criLine('ValueError'))
  await node.said(/waits on disk/)
  // The actor's health is told by its next beat, after the line in the log.
  const url = `http://${await node.address()}/readyz`
  let ready = ''
  while (!ready.includes('degraded')) ready = await (await fetch(url)).text()
  assert.match(ready, /degraded: capture: 1 captures wait on disk: .*503/)
  await stop(node)
  const away = await at.run('capture', 'list')
  assert.equal(away.code, 1)
  assert.match(away.stdout, /waits on disk/)
  assert.match(away.stderr, /^millrace: captures: s3 bucket words at 127\.0\.0\.1:\d+ does not list/)
  demandNoStack(away, 'capture list')
  const name = /fallback-\S+/.exec(away.stdout)?.[0] ?? ''
  assert.equal((await at.run('capture', 'get', name, '-o', 'x.tar.gz')).code, 0)
  assert.match((await unpack(readFileSync(join(at.folder, 'x.tar.gz'))))['stack.txt'] ?? '', /ValueError/)
  s3.setFaults()
  const again = at.start('run')
  await again.said(/capture stored/)
  await stop(again)
  assert.deepEqual([...s3.objects.keys()], [`captures/prod/shop/${name}`])
  assert.match((await list(at))[0]?.place ?? '', /^s3 bucket words/)
  for (const ended of [away, await node.ended, await again.ended])
    assert.ok(!`${ended.stdout}${ended.stderr}`.includes(key.secretAccessKey))
})

test('an operator hears the name of the capture, or why there is none', async () => {
  const at = desk()
  at.write('millrace.yaml', config(', per_hour: 1'))
  at.write(logFile(), criLine('hello'))
  at.write(logFile().replace(UID, OTHER_UID).replace('x2k4p', 'other'), criLine('hello'))
  const node = at.start('run')
  await node.address()
  const nobody = await at.run('ctl', 'capture', 'shop', 'nobody')
  assert.deepEqual(
    [nobody.code, nobody.stdout, nobody.stderr],
    [1, '', 'millrace: capture: there is no pod shop/nobody on this node\n'],
  )
  const done = await at.run('ctl', 'capture', 'shop', 'cart-7d9c5b8f6d-x2k4p')
  assert.deepEqual([done.code, done.stderr], [0, ''])
  const name = /^captured as (fallback-cart-7d9c5b8f6d-x2k4p-\S+);/.exec(done.stdout)?.[1] ?? ''
  assert.equal((await at.run('capture', 'get', name)).code, 0)
  const again = await at.run('ctl', 'capture', 'shop', 'cart-7d9c5b8f6d-x2k4p')
  assert.match(again.stderr, /^millrace: capture: shop\/cart-7d9c5b8f6d-x2k4p was asked for a moment ago/)
  const limited = await at.run('ctl', 'capture', 'shop', 'cart-7d9c5b8f6d-other')
  assert.match(limited.stderr, /^millrace: capture: 1 captures were asked for within an hour/)
  assert.deepEqual([again.code, limited.code], [1, 1])
  await stop(node)
})

test('bad usage and bad stores are one line each', async () => {
  const at = desk()
  at.write('millrace.yaml', config(''))
  at.write('nats.yaml', config(', store: { type: nats }'))
  at.write(
    's3.yaml',
    config(', store: { type: s3, endpoint: "http://127.0.0.1:9", bucket: bb1, access_key_id: a }'),
  )
  const cases: readonly [readonly string[], number, RegExp][] = [
    [['capture', 'get', 'nothing'], 1, /there is none called nothing; `millrace capture list` shows all/],
    [['capture', 'get', '../../etc/passwd'], 1, /there is none called/],
    [['capture', 'get'], 2, /missing required argument 'name'/],
    [['capture', 'list', '--max', '0'], 2, /expected a whole number over 0/],
    [['capture', 'list', '-c', 'nats.yaml'], 2, /capture\.store\.type: nats needs the section nats/],
    [['capture', 'list', '-c', 's3.yaml'], 2, /capture\.store\.access_key_id: there is no secret_access_key/],
  ]
  const outcomes = await Promise.all(cases.map(([args]) => at.run(...args)))
  outcomes.forEach((outcome, n) => {
    const [args, code, message] = cases[n] as (typeof cases)[number]
    assert.match(outcome.stderr, message, args.join(' '))
    assert.deepEqual([outcome.code, outcome.stderr.split('\n').length], [code, 2], args.join(' '))
    demandNoStack(outcome, args.join(' '))
  })
})

test('a batch, and a node that is told to capture nothing, have no such actor', async () => {
  const at = desk()
  at.write('millrace.yaml', config(''))
  at.write('off.yaml', config(', detect: []'))
  at.write(logFile(), criLine('panic: boom'))
  const once = await at.run('run', '--once', '--json')
  assert.equal(once.code, 0)
  assert.equal((JSON.parse(once.stdout) as { actors: object }).actors.hasOwnProperty('capture'), false)
  const node = at.start('run', '-c', 'off.yaml')
  const status = (await (await fetch(`http://${await node.address()}/status`)).json()) as { groups: object }
  assert.deepEqual(Object.keys(status.groups).includes('control'), false)
  await stop(node)
  assert.deepEqual(await list(at), [])
})
