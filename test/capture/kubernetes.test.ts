// Ends of containers that the Kubernetes API tells of: over the one watch there is, once, whole, and only what has just happened.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { type PodObject, startKubernetesStandIn } from '../stand-ins/kubernetes-api.js'
import { captured, cleanUp, FILES, s3, scene } from './bench.js'
import { podGroupV2 } from './cgroups.js'
import { CONTAINER_ID, criLine, logFile, UID } from './scene.js'

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

test('a crash loop that the Kubernetes API tells of is captured with its events, over the one watch of the source', async (t) => {
  const api = await startKubernetesStandIn()
  cleanUp(() => api.close())
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
  await at.until(() => at.seconds().length === 1, 'the time')
  t.diagnostic(`detected to stored: ${at.seconds().map((s) => s.toFixed(3))} s`)
  assert.equal(api.watches(), 1)
  // The same state again is no news.
  api.put(looping)
  api.bookmark()
  await at.until(() => api.requests.length >= 3, 'the requests')
  assert.equal(at.metric('captures_total', { reason: 'crash_loop' }), 1)
})

test('an OOM kill told by control group and Kubernetes is one capture, with the exit code of the latter', async () => {
  const api = await startKubernetesStandIn()
  cleanUp(() => api.close())
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
  cleanUp(() => api.close())
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
  cleanUp(() => api.close())
  const { server, store } = await s3()
  const loop = { waiting: { reason: 'CrashLoopBackOff' } }
  api.put(pod({ restartCount: 9, state: loop, lastState: ended('OOMKilled', 137, 3_600_000) }))
  const at = await scene({ store, apiUrl: api.url })
  await at.until(() => at.metric('captures_skipped_total', { policy: 'old' }) === 2, 'the count')
  assert.equal(server.objects.size, 0)
  assert.deepEqual(at.sentTo('traffic', 'boost'), [])
})
