// Last words: a container that panics, is OOM-killed or loops is captured whole, once, and is in the store at once or later.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MessageOf } from '../../protocol/messages.js'
import { podGroupV1, podGroupV2 } from './cgroups.js'
import { readsNamespace } from '../../actors/capture/plan.js'
import { captured, FILES, s3, scene } from './bench.js'
import { CONTAINER_ID, criLine, logFile, UID } from './scene.js'

const GO_PANIC = [
  'panic: runtime error: index out of range [7] with length 3',
  '',
  'goroutine 1 [running]:',
  'main.charge(...)',
  '\t/src/main.go:41',
  'exit status 2',
]

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

test('a panic: stack, figures, ten seconds of stderr and meta are in the store, and the pod is boosted', async (t) => {
  const { server, store } = await s3()
  const at = await scene({
    store,
    options: { settle: 500 },
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
  assert.deepEqual(boost?.match, { pod_uid: UID })
  assert.ok((boost?.untilMs ?? 0) > Date.now() + 9 * 60_000)
  await at.until(() => at.metric('captures_stored_total') === 1, 'the count')
  t.diagnostic(`detected to stored: ${at.seconds().map((s) => s.toFixed(3))} s`)
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
  const at = await scene({ store, options: { per_pod_per_hour: 4, per_hour: 6, settle: 0 } })
  const now = Date.now()
  for (const n of [0, 1, 2, 3]) at.send(panic(now - n * 20_000))
  const other = UID.replace(/1$/, '2')
  for (const n of [0, 1]) at.send(panic(now - n * 20_000, { podUid: other, namespace: 'till' }))
  const skipped = (policy: string) => at.metric('captures_skipped_total', { policy })
  await at.until(() => skipped('pod_limit') === 2 && skipped('node_limit') === 1, 'the counts')
  await at.until(() => server.objects.size === 3, 'the objects')
})

test('an operator who asks for a capture gets one, of a pod that is there', async () => {
  const { server, store } = await s3()
  const at = await scene({ store, options: { detect: ['panic'] } })
  at.write(logFile('app', 1), criLine('alive'))
  at.send({ type: 'capture', id: 1, namespace: 'shop', pod: 'nobody' })
  await at.until(() => at.metric('captures_skipped_total', { policy: 'unknown_pod' }) === 1, 'the count')
  const one = { type: 'capture', namespace: 'shop', pod: 'cart-7d9c5b8f6d-x2k4p', container: 'app' } as const
  at.send({ ...one, id: 2 })
  await at.until(() => at.sentTo('supervisor', 'capture_answer').length === 2, 'both answers')
  at.send({ ...one, id: 3 })
  await at.until(() => at.sentTo('supervisor', 'capture_answer').length === 3, 'the third')
  await at.until(() => server.objects.size === 1, 'the object')
  const { key, meta, files } = await captured(server)
  assert.deepEqual(
    at.sentTo('supervisor', 'capture_answer').map(({ id, name, refused }) => [id, name ?? refused]),
    [
      [1, 'unknown_pod'],
      [2, key.split('/').at(-1)],
      [3, 'same'],
    ],
  )
  assert.deepEqual([meta['reason'], meta['detected_by'], meta['exit_code']], ['asked', 'operator', null])
  assert.match(files['stderr.log'] ?? '', /alive/)
  assert.deepEqual(at.sentTo('traffic', 'boost'), [])
})

test('a namespace whose logs are not read is not captured either', async () => {
  const { server, store } = await s3()
  let group: ReturnType<typeof podGroupV1> | undefined
  const at = await scene({
    store,
    prepare(folder) {
      group = podGroupV1(join(folder, 'cgroup'), UID, CONTAINER_ID)
    },
  })
  at.write(`pods/kube-system_secretive-0_${UID}/app/0.log`, criLine('a secret'))
  group?.kill()
  await at.until(() => at.metric('captures_skipped_total', { policy: 'namespace' }) === 1, 'the count')
  assert.equal(server.objects.size, 0)
})

test('only the namespaces of a source are its captures: chosen ones, but for those excluded', () => {
  const root = { path: '/x', excluded: ['b'] }
  assert.deepEqual(
    ['a', 'b', 'c'].map((namespace) => readsNamespace([root], namespace)),
    [true, false, true],
  )
  assert.deepEqual(
    ['a', 'b', 'c'].map((namespace) => readsNamespace([{ ...root, namespaces: ['a', 'b'] }], namespace)),
    [true, false, false],
  )
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
