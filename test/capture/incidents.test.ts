// Which ends are captured when there are more than the bounds allow: whose room is left, and for what.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { Detection } from '../../actors/capture/detection.js'
import { createIncidents, type Incidents, type SkipPolicy } from '../../actors/capture/incidents.js'

const PER_HOUR = 120
const PER_POD = 6
const STEP_MS = 20_000
let folder = ''
let nowMs = 0
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-incidents-'))
  nowMs = Date.parse('2026-11-23T10:00:00Z')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function open(): Incidents {
  const bounds = { ageMaxMs: 300_000, perPodPerHour: PER_POD, perHour: PER_HOUR }
  return createIncidents({ file: join(folder, 'recent.json'), ...bounds, now: () => nowMs })
}

function end(reason: Detection['reason'], podUid: string): Detection {
  const [namespace = ''] = podUid.split('-')
  return { reason, by: 'log', atMs: nowMs, podUid, namespace, containerName: 'app' }
}

/** Each pod of the namespace ends this way so many times; how many were captured, and the last refusal. */
function endAll(
  at: Incidents,
  what: {
    readonly namespace: string
    readonly reason: Detection['reason']
    readonly pods: number
    readonly times: number
  },
): [number, SkipPolicy | undefined] {
  const { namespace, reason, pods, times } = what
  const results = Array.from({ length: pods * times }, (_, n) => {
    if (n % pods === 0) nowMs += STEP_MS
    return at.refuse(end(reason, `${namespace}-${n % pods}`))
  })
  const refused = results.filter((policy) => policy !== undefined)
  return [results.length - refused.length, refused.at(-1)]
}

test('logs that say panic all the time leave room for what has really died, and for an operator', () => {
  const at = open()
  const noise = { namespace: 'noisy', reason: 'panic', pods: 30, times: 6 } as const
  assert.deepEqual(endAll(at, noise), [PER_HOUR / 4, 'namespace_limit'])
  for (const [n, namespace] of ['b', 'c', 'd', 'e', 'f'].entries())
    endAll(at, { ...noise, namespace, times: n === 0 ? 1 : 6 })
  assert.equal(at.refuse(end('panic', 'late')), 'node_limit')
  assert.equal(at.refuse(end('oom_killed', 'noisy-0')), undefined)
  assert.equal(at.refuse(end('oom_killed', 'shop-1')), undefined)
  assert.equal(at.refuse(end('crash_loop', 'shop-2')), undefined)
  assert.equal(at.refuse(end('asked', 'shop-3')), undefined)
})

test('a namespace that panics leaves the guesses of others their room, and a pod its own certain ends', () => {
  const at = open()
  endAll(at, { namespace: 'noisy', reason: 'panic', pods: 30, times: 6 })
  assert.deepEqual(endAll(at, { namespace: 'shop', reason: 'panic', pods: 1, times: 6 }), [3, 'pod_limit'])
  assert.deepEqual(endAll(at, { namespace: 'shop', reason: 'oom_killed', pods: 1, times: 6 }), [
    3,
    'pod_limit',
  ])
})

test('a namespace whose containers loop leaves room for the ends in others', () => {
  const at = open()
  const [captured, refusal] = endAll(at, { namespace: 'a', reason: 'crash_loop', pods: 90, times: 2 })
  assert.deepEqual([captured, refusal], [PER_HOUR / 2, 'namespace_limit'])
  assert.equal(at.refuse(end('oom_killed', 'shop-1')), undefined)
})

test('an operator who asks without end is bounded, and takes nothing from the ends of containers', () => {
  const at = open()
  assert.deepEqual(endAll(at, { namespace: 'a', reason: 'asked', pods: 100, times: 2 }), [
    PER_HOUR,
    'request_limit',
  ])
  assert.deepEqual(endAll(at, { namespace: 'a', reason: 'oom_killed', pods: 5, times: 1 }), [5, undefined])
})

test('after a restart the bounds go on, and after an hour there is room again', async () => {
  const before = open()
  endAll(before, { namespace: 'noisy', reason: 'panic', pods: 30, times: 6 })
  await before.save()
  const at = open()
  await at.recover()
  assert.equal(at.refuse(end('panic', 'noisy-99')), 'namespace_limit')
  nowMs += 3_600_000
  assert.equal(at.refuse(end('panic', 'noisy-99')), undefined)
})
