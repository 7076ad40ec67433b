// Last words: a container that panics, is OOM-killed or loops is captured whole, once, and is in the store at once or later.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import type { S3StoreOptions } from '../../protocol/config/capture.js'
import type { MessageOf } from '../../protocol/messages.js'
import { startKubernetesStandIn, type PodObject } from '../stand-ins/kubernetes-api.js'
import { startS3StandIn, type S3StandIn } from '../stand-ins/s3.js'
import { podGroupV1, podGroupV2 } from './cgroups.js'
import {
  CONTAINER_ID,
  criLine,
  logFile,
  type Scene,
  type SceneOptions,
  startScene,
  UID,
  unpack,
} from './scene.js'

const GO_PANIC = [
  'panic: runtime error: index out of range [7] with length 3',
  '',
  'goroutine 1 [running]:',
  'main.charge(...)',
  '\t/src/main.go:41',
  'exit status 2',
]
const FILES = ['cgroup.txt', 'events.json', 'memory.json', 'meta.json', 'stack.txt', 'stderr.log']

let cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
  cleanups = []
})

async function s3(): Promise<{ server: S3StandIn; store: S3StoreOptions }> {
  const key = { accessKeyId: 'AKIATEST', secretAccessKey: 'not+so/secret', region: 'eu-central-1' }
  const server = await startS3StandIn({ ...key, bucket: 'last-words' })
  cleanups.push(() => server.close())
  return {
    server,
    store: {
      type: 's3',
      endpoint: server.url,
      bucket: 'last-words',
      prefix: 'captures/',
      region: key.region,
      path_style: true,
      access_key_id: key.accessKeyId,
      secret_access_key: key.secretAccessKey,
      timeout: 5000,
    },
  }
}

async function scene(options: SceneOptions): Promise<Scene> {
  const made = await startScene(options)
  cleanups.push(() => made.close())
  return made
}

function panic(atMs = Date.now(), more: Partial<MessageOf<'panic'>> = {}): MessageOf<'panic'> {
  return {
    type: 'panic',
    language: 'go',
    namespace: 'shop',
    podName: 'cart-7d9c5b8f6d-x2k4p',
    podUid: UID,
    containerName: 'app',
    atMs,
    ...more,
  }
}

interface Captured {
  readonly key: string
  readonly files: Record<string, string>
  readonly meta: Record<string, unknown>
  readonly memory: Record<string, Record<string, unknown>>
}

async function captured(server: S3StandIn, n = 0): Promise<Captured> {
  const [key = '', bytes = Buffer.alloc(0)] = [...server.objects][n] ?? []
  const files = await unpack(bytes)
  return {
    key,
    files,
    meta: JSON.parse(files['meta.json'] ?? '{}') as Captured['meta'],
    memory: JSON.parse(files['memory.json'] ?? '{}') as Captured['memory'],
  }
}

test('a panic: stack, figures, ten seconds of stderr and meta are in the store, and the pod is boosted', async () => {
  const { server, store } = await s3()
  const at = await scene({
    store,
    prepare: (folder) => podGroupV2(join(folder, 'cgroup'), UID, CONTAINER_ID),
  })
  at.write(
    logFile('app', 3),
    [
      criLine('an old line', 60_000),
      criLine('within the window', 5000),
      criLine('on standard output', 4000, 'stdout'),
      ...GO_PANIC.map((line) => criLine(line)),
    ].join(''),
  )
  at.send(panic())
  await at.until(() => server.objects.size === 1, 'the object')
  const { key, files, meta, memory } = await captured(server)
  assert.match(key, /^captures\/test\/shop\/fallback-cart-7d9c5b8f6d-x2k4p-\d{8}T\d{6}\.\d{3}Z\.tar\.gz$/)
  assert.deepEqual(Object.keys(files).sort(), FILES)
  assert.equal(files['stack.txt'], `${GO_PANIC.join('\n')}\n`)
  assert.match(files['stderr.log'] ?? '', /^\S+ within the window\n\S+ panic: /)
  assert.doesNotMatch(files['stderr.log'] ?? '', /old line|standard output/)
  assert.match(files['cgroup.txt'] ?? '', /memory\.events\nlow 0/)
  assert.equal(memory['pod']?.['limitBytes'], 64 * 1024 * 1024)
  const { reason, exit_code, exit_code_source, oom_killer_enabled, restart_count, language, container_name } =
    meta
  assert.deepEqual(
    { reason, exit_code, exit_code_source, oom_killer_enabled, restart_count, language, container_name },
    {
      reason: 'panic',
      exit_code: 2,
      exit_code_source: 'assumed',
      oom_killer_enabled: true,
      restart_count: 3,
      language: 'go',
      container_name: 'app',
    },
  )
  const [boost] = at.sentTo('traffic', 'boost')
  assert.deepEqual(boost?.match, { namespace: 'shop', pod: 'cart-7d9c5b8f6d-x2k4p', pod_uid: UID })
  assert.ok((boost?.untilMs ?? 0) > Date.now() + 9 * 60_000)
  await at.until(() => at.metric('captures_stored_total') === 1, 'the count')
  assert.deepEqual(readdirSync(join(at.folder, 'data', 'captures', 'waiting')), [])
})

for (const [version, makeGroup] of [
  [2, podGroupV2],
  [1, podGroupV1],
] as const) {
  test(`an OOM kill in a control group of version ${version} is captured with the figures of the moment`, async () => {
    const { server, store } = await s3()
    let group: ReturnType<typeof makeGroup> | undefined
    const at = await scene({
      store,
      prepare(folder) {
        group = makeGroup(join(folder, 'cgroup'), UID, CONTAINER_ID)
      },
    })
    at.write(logFile(), criLine('allocating') + criLine('Killed soon', 100))
    group?.kill()
    await at.until(() => server.objects.size === 1, 'the object')
    const { files, meta, memory } = await captured(server)
    assert.deepEqual(Object.keys(files).sort(), FILES)
    assert.equal(meta['reason'], 'oom_killed')
    assert.deepEqual([meta['exit_code'], meta['exit_code_source']], [137, 'assumed'])
    assert.deepEqual([meta['oom_kills'], meta['oom_killer_enabled']], [1, true])
    assert.deepEqual([meta['container_name'], meta['container_id']], ['app', CONTAINER_ID])
    assert.equal(meta['restart_count'], 0)
    assert.deepEqual(
      [memory['container']?.['peakBytes'], memory['container']?.['oomKills']],
      [64 * 1024 * 1024, 1],
    )
    assert.match(files['stderr.log'] ?? '', /Killed soon/)
  })
}

test("an OOM kill whose container's group is gone before the look is told by the pod's group", async () => {
  const { server, store } = await s3()
  let group: ReturnType<typeof podGroupV2> | undefined
  const at = await scene({
    store,
    prepare(folder) {
      group = podGroupV2(join(folder, 'cgroup'), UID, CONTAINER_ID)
    },
  })
  at.write(logFile(), criLine('x'))
  group?.removeContainer()
  group?.kill()
  await at.until(() => server.objects.size === 1, 'the object')
  const { meta, memory } = await captured(server)
  assert.equal(meta['container_id'], CONTAINER_ID)
  assert.equal(memory['container']?.['present'], false)
  assert.equal(memory['pod']?.['oomKills'], 1)
})

function pod(status: object): PodObject {
  return {
    metadata: { name: 'cart-7d9c5b8f6d-x2k4p', namespace: 'shop', uid: UID },
    spec: {
      nodeName: 'worker-7',
      containers: [{ name: 'app', resources: { limits: { memory: '64Mi' } } }],
    },
    status: { containerStatuses: [{ name: 'app', containerID: `containerd://${CONTAINER_ID}`, ...status }] },
  }
}
const ended = (reason: string, exitCode: number, agoMs = 0) => ({
  terminated: {
    reason,
    exitCode,
    finishedAt: new Date(Date.now() - agoMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    containerID: `containerd://${CONTAINER_ID}`,
  },
})

test('a crash loop that the Kubernetes API tells of is captured with its events, over the one watch of the source', async () => {
  const api = await startKubernetesStandIn()
  cleanups.push(() => api.close())
  const { server, store } = await s3()
  api.put(pod({ restartCount: 4, state: { running: {} } }))
  const at = await scene({ store, apiUrl: api.url })
  at.write(logFile('app', 4), criLine('Traceback (most recent call last):') + criLine('ValueError: no'))
  await at.until(() => api.watches() === 1, 'the watch')
  assert.equal(server.objects.size, 0)
  const looping = pod({
    restartCount: 5,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: ended('Error', 1),
  })
  api.event(looping, {
    type: 'Warning',
    reason: 'BackOff',
    message: 'Back-off restarting failed container',
    count: 9,
  })
  api.put(looping)
  await at.until(() => server.objects.size === 1, 'the object')
  const { files, meta, memory } = await captured(server)
  assert.deepEqual(Object.keys(files).sort(), FILES)
  const { reason, exit_code, exit_code_source, restart_count, waiting_reason, kubernetes_reason, language } =
    meta
  assert.deepEqual(
    { reason, exit_code, exit_code_source, restart_count, waiting_reason, kubernetes_reason, language },
    {
      reason: 'crash_loop',
      exit_code: 1,
      exit_code_source: 'kubernetes',
      restart_count: 5,
      waiting_reason: 'CrashLoopBackOff',
      kubernetes_reason: 'Error',
      language: 'python',
    },
  )
  assert.match(files['events.json'] ?? '', /Back-off restarting failed container/)
  assert.equal(memory['limit'], '64Mi')
  assert.equal(api.watches(), 1)
  // The same state again is no news.
  api.put(looping)
  api.bookmark()
  await at.until(() => api.requests.length >= 3, 'the requests')
  assert.equal(at.metric('captures_total', { reason: 'crash_loop' }), 1)
})

test('an OOM kill told by control group and Kubernetes is one capture, with the exit code of the latter', async () => {
  const api = await startKubernetesStandIn()
  cleanups.push(() => api.close())
  const { server, store } = await s3()
  api.put(pod({ restartCount: 0, state: { running: {} } }))
  let group: ReturnType<typeof podGroupV2> | undefined
  const at = await scene({
    store,
    apiUrl: api.url,
    options: { settle: 300 },
    prepare(folder) {
      group = podGroupV2(join(folder, 'cgroup'), UID, CONTAINER_ID)
    },
  })
  at.write(logFile(), criLine('x'))
  await at.until(() => api.watches() === 1, 'the watch')
  group?.kill()
  await at.until(() => at.metric('captures_total', { reason: 'oom_killed' }) === 1, 'the detection')
  api.put(pod({ restartCount: 1, state: { running: {} }, lastState: ended('OOMKilled', 137) }))
  await at.until(() => server.objects.size === 1, 'the object')
  await at.until(() => at.metric('captures_skipped_total', { policy: 'same' }) === 1, 'the second account')
  const { meta } = await captured(server)
  assert.deepEqual(
    [meta['detected_by'], meta['exit_code'], meta['exit_code_source'], meta['restart_count']],
    ['cgroup', 137, 'kubernetes', 1],
  )
})

test('a watch that is told 410 lists again, and what ended in between is captured', async () => {
  const api = await startKubernetesStandIn()
  cleanups.push(() => api.close())
  const { server, store } = await s3()
  api.put(pod({ restartCount: 0, state: { running: {} } }))
  const at = await scene({ store, apiUrl: api.url })
  await at.until(() => api.watches() === 1, 'the watch')
  api.put(pod({ restartCount: 1, state: { running: {} }, lastState: ended('OOMKilled', 137) }))
  api.compact()
  api.endWatches()
  await at.until(() => server.objects.size === 1, 'the object')
  assert.equal((await captured(server)).meta['reason'], 'oom_killed')
})

test('what happened long ago is not captured when a node comes up', async () => {
  const api = await startKubernetesStandIn()
  cleanups.push(() => api.close())
  const { server, store } = await s3()
  const loop = { waiting: { reason: 'CrashLoopBackOff' } }
  api.put(pod({ restartCount: 9, state: loop, lastState: ended('OOMKilled', 137, 3_600_000) }))
  const at = await scene({ store, apiUrl: api.url })
  await at.until(() => at.metric('captures_skipped_total', { policy: 'old' }) === 2, 'the count')
  assert.equal(server.objects.size, 0)
  assert.deepEqual(at.sentTo('traffic', 'boost'), [])
})

test('a store that is down: the capture waits on disk, the status says so, and a restart brings it in', async () => {
  const { server, store } = await s3()
  const at = await scene({ store })
  at.write(logFile(), GO_PANIC.map((line) => criLine(line)).join(''))
  server.setFaults({ status: 503, body: '<Error><Code>SlowDown</Code></Error>', on: 'all' })
  at.send(panic())
  await at.until(() => at.metric('capture_store_errors_total', { code: '503' }) >= 2, 'two tries')
  const waiting = join(at.folder, 'data', 'captures', 'waiting')
  assert.equal(readdirSync(waiting).length, 1)
  const said = at.sentTo('supervisor', 'status').at(-1)?.reason ?? ''
  assert.match(said, /1 captures wait on disk: captures: s3 bucket last-words .* 503 SlowDown/)
  assert.doesNotMatch(said, /not\+so\/secret/)
  await at.restart()
  server.setFaults()
  await at.until(() => server.objects.size === 1, 'the object')
  await at.until(() => readdirSync(waiting).length === 0, 'an empty folder')
  const again = at.metric('captures_total', { reason: 'panic' })
  at.send(panic())
  await at.until(() => at.metric('captures_skipped_total', { policy: 'same' }) === 1, 'the same panic')
  assert.equal(at.metric('captures_total', { reason: 'panic' }), again)
})

test('a pod that dies all the time: no more captures in an hour than the bound, the rest is counted', async () => {
  const { server, store } = await s3()
  const at = await scene({ store, options: { per_pod_per_hour: 2, per_hour: 3, settle: 0 } })
  const now = Date.now()
  for (const n of [0, 1, 2, 3]) at.send(panic(now - n * 20_000))
  const other = UID.replace(/1$/, '2')
  for (const n of [0, 1]) at.send(panic(now - n * 20_000, { podUid: other }))
  const skipped = (policy: string) => at.metric('captures_skipped_total', { policy })
  await at.until(() => skipped('pod_limit') === 2 && skipped('node_limit') === 1, 'the counts')
  await at.until(() => server.objects.size === 3, 'the objects')
})

test('names that others chose stay in their folder', async () => {
  const { server, store } = await s3()
  const at = await scene({ store })
  at.send(panic(Date.now(), { podName: '../../etc/passwd', namespace: '../x', podUid: 'no-such-pod' }))
  await at.until(() => server.objects.size === 1, 'the object')
  const { key, files } = await captured(server)
  assert.match(key, /^captures\/test\/_[^/]*\/fallback-_[A-Za-z0-9._-]+\.tar\.gz$/)
  assert.equal(existsSync(join(at.folder, '..', 'etc')), false)
  assert.match(files['cgroup.txt'] ?? '', /not found/)
})
