// Captures on disk: bounded, found again after a restart, half-written ones forgotten; each end captured once and not too often.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { Detection } from '../../actors/capture/detection.js'
import { createIncidents } from '../../actors/capture/incidents.js'
import { createSpool } from '../../actors/capture/spool.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const key = (n: number) => `c/ns/fallback-p${n}-x.tar.gz`

test('captures that wait are bounded on disk: the oldest goes and is named', async () => {
  let now = 0
  const spool = createSpool(folder, 100, () => ++now)
  await spool.recover()
  assert.deepEqual(await spool.add(key(1), new Uint8Array(40)), [])
  // Two at once do not count on the same room.
  const both = await Promise.all([
    spool.add(key(2), new Uint8Array(40)),
    spool.add(key(3), new Uint8Array(40)),
  ])
  assert.deepEqual(
    both.flat().map((given) => given.key),
    [key(1)],
  )
  assert.deepEqual(
    spool.waiting().map((capture) => capture.key),
    [key(3), key(2)],
  )
  assert.equal(readdirSync(folder).length, 2)
})

test('what an earlier run has left is found, half of one is not', async () => {
  const first = createSpool(folder, 1000, () => 1)
  await first.recover()
  await first.add(key(1), Buffer.from('whole'))
  writeFileSync(join(folder, `${key(2).replaceAll('/', '@')}.tmp`), 'ha')
  writeFileSync(join(folder, 'notes.txt'), 'not ours')
  const second = createSpool(folder, 1000, () => 1)
  await second.recover()
  assert.deepEqual(
    second.waiting().map((capture) => [capture.key, capture.bytes]),
    [[key(1), 5]],
  )
  assert.equal(Buffer.from((await second.read(key(1))) ?? []).toString(), 'whole')
  assert.deepEqual(readdirSync(folder).sort(), [key(1).replaceAll('/', '@'), 'notes.txt'])
})

test("a capture is its owner's alone to read: stderr can say anything", async () => {
  const spool = createSpool(join(folder, 'deeper'), 1000, () => 1)
  await spool.recover()
  await spool.add(key(1), Buffer.from('x'))
  assert.equal(statSync(join(folder, 'deeper')).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, 'deeper', key(1).replaceAll('/', '@'))).mode & 0o777, 0o600)
})

const detection = (more: Partial<Detection> = {}): Detection => ({
  reason: 'panic',
  by: 'log',
  atMs: 1_000_000,
  podUid: 'u1',
  containerName: 'app',
  ...more,
})

function remembered(nowMs: () => number) {
  const limits = { ageMaxMs: 60_000, perPodPerHour: 3, perHour: 100 }
  return createIncidents({ file: join(folder, 'recent.json'), now: nowMs, ...limits })
}

test('two accounts of one end are one capture, two ends close together are two', async () => {
  const incidents = remembered(() => 1_000_000)
  assert.equal(incidents.refuse(detection()), undefined)
  assert.equal(incidents.refuse(detection({ atMs: 1_003_000 })), 'same')
  assert.equal(incidents.refuse(detection({ reason: 'crash_loop', atMs: 1_002_000 })), 'same')
  assert.equal(incidents.refuse(detection({ reason: 'oom_killed', atMs: 1_004_000 })), undefined)
  assert.equal(incidents.refuse(detection({ containerName: 'other', language: 'python' })), undefined)
  assert.equal(incidents.refuse(detection({ containerName: 'other', language: 'python' })), 'same')
  assert.equal(incidents.refuse(detection({ containerName: 'third' })), 'pod_limit')
  assert.equal(incidents.refuse(detection({ podUid: 'u2', atMs: 1_000_000 - 60_001 })), 'old')
})

test('a trace that a helper of the container has caught does not stand for the panic behind it', () => {
  const incidents = remembered(() => 1_000_000)
  assert.equal(incidents.refuse(detection({ language: 'python' })), undefined)
  assert.equal(incidents.refuse(detection({ language: 'go', atMs: 1_000_500 })), undefined)
  assert.equal(incidents.refuse(detection({ language: 'go', atMs: 1_000_900 })), 'same')
})

test('what was captured is remembered across a restart, for an hour, and a damaged memory harms nothing', async () => {
  let now = 1_000_000
  const first = remembered(() => now)
  await first.recover()
  assert.equal(first.refuse(detection()), undefined)
  await Promise.all([first.save(), first.save()])
  const second = remembered(() => now)
  await second.recover()
  assert.equal(second.refuse(detection()), 'same')
  now += 3_600_000
  assert.equal(second.refuse(detection({ atMs: now })), undefined)
  writeFileSync(join(folder, 'recent.json'), '[{"podUid":1},{"podUid"')
  const third = remembered(() => now)
  await third.recover()
  assert.equal(third.refuse(detection({ atMs: now })), undefined)
})
