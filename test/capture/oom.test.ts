// OOM kills: what the counters of control groups say becomes a detection once, and a real process that outgrows its memory is captured.
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { findContainers, findPods, findTree } from '../../actors/capture/cgroup-tree.js'
import { createOomWatch, type OomKill } from '../../actors/capture/oom-watch.js'
import { createFakeClock } from '../journal/fake-clock.js'
import { podGroupV1, podGroupV2 } from './cgroups.js'
import { createMemoryGroup } from './memory-group.js'
import { CONTAINER_ID, startScene, UID, unpack } from './scene.js'

let cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
  cleanups = []
})

function makeRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'millrace-cgroup-'))
  cleanups.push(() => rmSync(root, { recursive: true, force: true }))
  return root
}

function watch(root: string) {
  const clock = createFakeClock()
  const kills: OomKill[] = []
  const made = createOomWatch(
    {
      clock,
      fail(error) {
        throw error
      },
    },
    { root, pollMs: 100, onKill: (kill) => kills.push(kill) },
  )
  cleanups.push(() => made.stop())
  made.start()
  return {
    kills,
    pods: made.pods,
    placeOf: made.placeOf,
    polls: (count: number) => clock.advance(count * 100),
  }
}

for (const [version, makeGroup] of [
  [1, podGroupV1],
  [2, podGroupV2],
] as const) {
  test(`v${version}: kills before the node came up are no news, each one after is told once`, async () => {
    const root = makeRoot()
    const group = makeGroup(root, UID, CONTAINER_ID)
    group.kill()
    const at = watch(root)
    await at.polls(2)
    assert.equal(at.kills.length, 0)
    group.kill()
    group.kill()
    await at.polls(3)
    assert.deepEqual(
      at.kills.map((kill): object => ({ ...kill, place: undefined, ...kill.place })),
      [
        {
          podUid: UID,
          containerId: CONTAINER_ID,
          kills: 2,
          place: undefined,
          version,
          podFolder: group.folder,
          containerFolder: group.containerFolder,
        },
      ],
    )
  })

  test(`v${version}: a pod that came since, and died before it was looked at`, async () => {
    const root = makeRoot()
    makeGroup(root, UID.replace('1', '2'), CONTAINER_ID)
    const at = watch(root)
    const late = makeGroup(root, UID, 'd'.repeat(64))
    late.kill()
    await at.polls(10)
    assert.deepEqual(
      at.kills.map(({ podUid, containerId, kills }) => [podUid, containerId, kills]),
      [[UID, 'd'.repeat(64), 1]],
    )
    assert.equal(at.pods(), 2)
  })
}

test('a pod that goes, and a machine without control groups, harm nothing', async () => {
  const root = makeRoot()
  const at = watch(root)
  assert.equal(at.pods(), undefined)
  const group = podGroupV2(root, UID, CONTAINER_ID)
  await at.polls(10)
  assert.equal(at.pods(), 1)
  rmSync(group.folder, { recursive: true })
  await at.polls(20)
  assert.deepEqual([at.pods(), at.kills, at.placeOf(UID, undefined)], [0, [], undefined])
})

test('control groups are found as the drivers of kubelet and runtimes name them, and others are left alone', () => {
  const root = makeRoot()
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory\n')
  const uid = UID.replaceAll('-', '_')
  const hash = 'b94ecf0d4b2f7aa9a4e5bd9ed6f3b1aa'
  const id = CONTAINER_ID
  for (const folder of [
    `kubepods.slice/kubepods-pod${uid}.slice/crio-${id}.scope`,
    `kubepods.slice/kubepods-pod${uid}.slice/crio-conmon-${id}.scope`,
    `kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod${hash}.slice`,
    `system.slice/pod${UID}`,
    `kubepods/burstable/podcast`,
  ])
    mkdirSync(join(root, folder), { recursive: true })
  const tree = findTree(root)
  assert.ok(tree !== undefined)
  const pods = findPods(tree)
  assert.deepEqual(pods.map(({ podUid }) => podUid).sort(), [UID, hash])
  const folder = pods.find(({ podUid }) => podUid === UID)?.folder ?? ''
  assert.deepEqual([...findContainers(folder).keys()], [id])
})

test('a real process that outgrows its memory: its last words are in the store', async (t) => {
  const uid = randomUUID()
  const group = createMemoryGroup(uid, randomBytes(32).toString('hex'))
  if ('skip' in group) return t.skip(group.skip)
  cleanups.push(() => group.remove())
  const stored = makeRoot()
  const at = await startScene({
    store: { type: 'folder', path: stored, bytes_max: 1e9 },
    options: { cgroup_root: group.root, settle: 500 },
  })
  cleanups.push(() => at.close())
  const log = `pods/shop_greedy-0_${uid}/app/2.log`
  at.write(log, '')
  const ended = await group.outgrow(join(at.folder, log))
  assert.equal(ended.signal, 'SIGKILL')
  await at.until(() => at.metric('captures_stored_total') === 1, 'the capture')
  t.diagnostic(`cgroup v${group.version}, detected to stored: ${at.seconds().map((s) => s.toFixed(3))} s`)
  const files = await unpack(at.storedBytes(stored))
  assert.deepEqual(Object.keys(files).sort(), [
    'cgroup.txt',
    'events.json',
    'memory.json',
    'meta.json',
    'stack.txt',
    'stderr.log',
  ])
  const meta = JSON.parse(files['meta.json'] ?? '') as Record<string, unknown>
  const { reason, exit_code, oom_killer_enabled, restart_count, pod_name, container_name } = meta
  assert.deepEqual(
    { reason, exit_code, oom_killer_enabled, restart_count, pod_name, container_name },
    {
      reason: 'oom_killed',
      exit_code: 137,
      oom_killer_enabled: true,
      restart_count: 2,
      pod_name: 'greedy-0',
      container_name: 'app',
    },
  )
  assert.match(files['stderr.log'] ?? '', /holding \d+ MiB\n$/)
  const memory = JSON.parse(files['memory.json'] ?? '') as { container: Record<string, number> }
  assert.equal(memory.container['limitBytes'], 96 * 1024 * 1024)
  assert.equal(memory.container['oomKills'], 1)
  assert.match(files['cgroup.txt'] ?? '', /oom_kill 1/)
})
