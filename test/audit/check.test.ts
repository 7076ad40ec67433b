// What the audit must find, must not take for a loss, and must bring back: over the stand-ins, which keep the servers' contract.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Verdict } from '../../actors/auditor/check.js'
import { openHourFile } from '../../actors/writers/archive/hour-file.js'
import { encodeMember } from '../../actors/writers/archive/member.js'
import { archiveBackend } from '../../protocol/config/backends.js'
import { createDeadLetters } from '../../runtime/dead-letters.js'
import { encodePush } from '../contract/push-encode.js'
import { frameId, makeFrame, recentRecords } from '../writers/frames.js'
import { auditScene } from './scene.js'

const frameOf = (number: number, count = 20) => makeFrame(frameId(number), recentRecords(count))
const outcomes = (verdicts: readonly Verdict[]) => verdicts.map(({ outcome }) => outcome)
const missingOf = ({ differences }: Verdict) =>
  differences.map(({ backend, missing }) => [backend, missing] as const)

test('documents that somebody deleted are named, sent again from the journal, and then all agrees', async (t) => {
  const scene = await auditScene(t)
  const frames = Array.from({ length: 8 }, (_, n) => frameOf(n))
  const tasks = []
  for (const frame of frames) tasks.push(await scene.store(frame))
  assert.deepEqual(new Set(outcomes(await scene.engine.check(tasks))), new Set(['agreed']))
  const before = scene.es.documents()
  await scene.remove([`${frames[2]?.id}-5`, `${frames[2]?.id}-19`, `${frames[7]?.id}-0`])
  assert.equal(scene.es.count(), 157)
  const verdicts = await scene.engine.check(tasks)
  assert.deepEqual(missingOf(verdicts[2] as Verdict), [['es', [5, 19]]])
  assert.deepEqual(missingOf(verdicts[7] as Verdict), [['es', [0]]])
  assert.deepEqual(outcomes(verdicts).filter((outcome) => outcome === 'repaired').length, 2)
  assert.deepEqual(scene.es.documents(), before, 'the same documents, byte for byte')
  assert.deepEqual(new Set(outcomes(await scene.engine.check(tasks))), new Set(['agreed']))
  assert.equal(scene.metrics.get('audit_repaired_total{es,journal}'), 3)
  const repaired = (await scene.events()).filter(({ event }) => event === 'repaired')
  assert.equal(repaired.length, 2)
})

test('a push that Loki acknowledged and never stored is found and brought back, byte for byte', async (t) => {
  const scene = await auditScene(t)
  const frames = [frameOf(1), frameOf(2)] as const
  const whole = await scene.store(frames[0])
  scene.loki.setFaults({ swallow: 0.25 })
  const broken = await scene.store(frames[1])
  scene.loki.setFaults({})
  assert.equal(scene.loki.count(), 35)
  const [first, second] = await scene.engine.check([whole, broken])
  assert.equal(first?.outcome, 'agreed')
  assert.deepEqual(missingOf(second as Verdict), [['loki', [3, 7, 11, 15, 19]]])
  assert.equal(scene.loki.count(), 40)
  const [again] = await scene.engine.check([broken])
  assert.equal(again?.outcome, 'agreed')
  assert.deepEqual(
    scene.loki
      .entries()
      .map(({ line }) => line)
      .toSorted(),
    frames.flatMap(({ lines }) => lines).toSorted(),
  )
})

test('when the journal has let go, the other backend is the source, both ways', async (t) => {
  const scene = await auditScene(t)
  const frame = frameOf(1)
  const task = await scene.store(frame, 'loki')
  scene.forget(frame)
  const [verdict] = await scene.engine.check([task])
  assert.equal(verdict?.outcome, 'repaired')
  assert.equal(scene.metrics.get('audit_repaired_total{es,loki}'), 20)
  const stored = [...scene.es.documents()].map(([id, source]) => [id, source.toString()])
  assert.deepEqual(
    stored.toSorted(),
    frame.lines
      .map((line, n) => [`${frame.id}-${n}`, line.replace(/\}$/, `,"batch_id":"${frame.id}"}`)])
      .toSorted(),
  )
  const other = frameOf(2)
  const otherTask = await scene.store(other, 'es')
  scene.forget(other)
  assert.deepEqual(outcomes(await scene.engine.check([otherTask])), ['repaired'])
  assert.equal(scene.metrics.get('audit_repaired_total{loki,es}'), 20)
  assert.deepEqual(outcomes(await scene.engine.check([task, otherTask])), ['agreed', 'agreed'])
})

test('what nobody has any more is told, counted, and not tried for ever', async (t) => {
  const scene = await auditScene(t)
  const frame = frameOf(1)
  const task = await scene.store(frame, 'es')
  scene.forget(frame)
  await scene.remove([`${frame.id}-4`])
  const [verdict] = await scene.engine.check([task])
  assert.equal(verdict?.outcome, 'differs')
  assert.equal(scene.metrics.get('audit_unrepaired_total{es,lost}'), 1)
  assert.equal(scene.metrics.get('audit_unrepaired_total{loki,lost}'), 1)
  assert.equal(scene.loki.count(), 19, 'what Elasticsearch has is in Loki now')
})

test('a record in the dead letters of a backend is not missing there', async (t) => {
  const scene = await auditScene(t)
  const frame = frameOf(1)
  const task = await scene.store(frame)
  await scene.remove([`${frame.id}-3`])
  const letters = createDeadLetters({ folder: join(scene.dataDir, 'dlq', 'es') })
  const letter = { backend: 'es', reason: 'mapping', time: new Date().toISOString(), tries: 1 }
  await letters.put([{ ...letter, frame: frame.id, n: 3, record: frame.lines[3] ?? '' }])
  await letters.close()
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['agreed'])
  assert.equal(scene.es.count(), 19)
})

test('a backend that does not answer postpones: nothing is a difference, nothing is sent', async (t) => {
  const scene = await auditScene(t)
  const task = await scene.store(frameOf(1), 'es')
  for (const faults of [{ status: 503 }, { reset: true }, { status: 200, body: 'not json' }]) {
    scene.loki.setFaults({ ...faults, on: 'all' })
    const [verdict] = await scene.engine.check([task])
    assert.equal(verdict?.outcome, 'postponed', JSON.stringify(faults))
    assert.ok(verdict?.reason)
  }
  assert.equal(scene.metrics.get('audit_differences_total{loki,missing}'), undefined)
  scene.loki.setFaults({})
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['repaired'])
})

test('a gateway that answers in the place of a backend postpones, and its words are told', async (t) => {
  const scene = await auditScene(t)
  const task = await scene.store(frameOf(1))
  for (const backend of ['es', 'loki'] as const) {
    for (const [body, status = 200] of [
      ['{}'],
      ['null'],
      ['<html>sign in</html>'],
      ['no such page', 404],
    ] as const) {
      scene[backend].setFaults({ status, body, on: 'all' })
      const [verdict] = await scene.engine.check([task])
      assert.equal(verdict?.outcome, 'postponed', `${backend} ${body}`)
      const words = status === 404 ? 'with 404' : JSON.stringify(body)
      assert.ok(verdict.reason?.includes(words), verdict.reason)
      scene[backend].setFaults({})
    }
  }
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['agreed'])
})

test('more frames than Loki may answer with in one query are asked for in parts', async (t) => {
  const scene = await auditScene(t, { loki: { seriesMax: 10 } })
  const tasks = []
  for (let n = 0; n < 25; n++) tasks.push(await scene.store(frameOf(n, 3)))
  assert.deepEqual(new Set(outcomes(await scene.engine.check(tasks))), new Set(['agreed']))
})

test('a record whose text was changed in one backend is found by comparing, and only told', async (t) => {
  const scene = await auditScene(t)
  const frame = frameOf(1, 1)
  const task = await scene.store(frame)
  const source = frame.lines[0]
    ?.replace('message 0', 'massage 0')
    .replace(/\}$/, `,"batch_id":"${frame.id}"}`)
  const day = new Date(frame.header.minTsMs).toISOString().slice(0, 10)
  await fetch(`${scene.es.url}/_bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: `{"index":{"_index":"logs-${day}","_id":"${frame.id}-0"}}\n${source}\n`,
  })
  const [verdict] = await scene.engine.check([task])
  assert.equal(verdict?.outcome, 'differs')
  assert.equal(scene.metrics.get('audit_differences_total{es,altered}'), 1)
  assert.match(scene.es.documents().get(`${frame.id}-0`)?.toString() ?? '', /massage/)
})

test('copies in a sharded stream are reported and nothing else', async (t) => {
  const scene = await auditScene(t, { loki: { shardStreams: true }, compare: 0 })
  const frame = frameOf(1)
  const task = await scene.store(frame)
  // The same entries once more, as a retry after a lost answer leaves them in a stream that was sharded since.
  const entries = scene.loki.entries().slice(0, 3)
  const labels = Object.entries(entries[0]?.labels ?? {}).filter(([name]) => name !== 'detected_level')
  const text = `{${labels.map(([name, value]) => `${name}="${value}"`).join(', ')}}`
  const pushed = await fetch(`${scene.loki.url}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: encodePush([{ labels: text, entries }]),
  })
  assert.equal(pushed.status, 204)
  const [verdict] = await scene.engine.check([task])
  assert.equal(verdict?.outcome, 'agreed')
  assert.equal(scene.metrics.get('audit_differences_total{loki,extra}'), 3)
  assert.equal(scene.metrics.get('audit_repaired_total{loki,journal}'), undefined)
})

test('the archive is the last source: what both backends lost comes back from there', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-vault-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const archive = archiveBackend.parse({ type: 'archive', path: root })
  const scene = await auditScene(t, { archive })
  const frame = frameOf(1)
  const task = await scene.store(frame, 'es')
  await scene.remove([`${frame.id}-0`, `${frame.id}-13`])
  const hours = new Map<number, string>()
  for (const [n, line] of frame.lines.entries()) {
    const hourMs = Math.floor(Date.parse(line.slice(14, 44)) / 3_600_000) * 3_600_000
    const text = line.replace(/\}$/, `,"batch_id":"${frame.id}","rid":"${frame.id}-${n}"}\n`)
    hours.set(hourMs, (hours.get(hourMs) ?? '') + text)
  }
  for (const [hourMs, text] of hours) {
    const file = await openHourFile(root, hourMs, 'n1')
    await file.append(await encodeMember(Buffer.from(text), [frame.id], 4), [frame.id])
  }
  scene.forget(frame)
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['repaired'])
  assert.equal(scene.metrics.get('audit_repaired_total{es,archive}'), 2)
  assert.equal(scene.metrics.get('audit_repaired_total{loki,es}'), 20)
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['agreed'])
})

test('old records that Loki cannot show before a flush are waited for, not sent twice', async (t) => {
  const scene = await auditScene(t)
  const hoursAgo = BigInt(Date.now() - 5 * 3_600_000) * 1_000_000n
  const old = makeFrame(
    frameId(1),
    [1n, 2n, 3n].map((n) => ({ tsNs: hoursAgo + n * 1_000_000n })),
  )
  const task = await scene.store(old, 'es')
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['unsure'])
  assert.equal(scene.loki.count(), 0)
  const later = { ...task, ackedMs: Date.now() - 3 * 3_600_000 }
  assert.deepEqual(outcomes(await scene.engine.check([later])), ['repaired'])
  assert.deepEqual(
    new Set(scene.loki.entries().map(({ labels }) => labels['repair'])),
    new Set(['1']),
    'in the stream for late entries',
  )
})

test('what one backend could never take is copied to the other from the dead letters', async (t) => {
  const scene = await auditScene(t)
  const frame = frameOf(1)
  const task = await scene.store(frame, 'es')
  await scene.remove([`${frame.id}-3`])
  const letters = createDeadLetters({ folder: join(scene.dataDir, 'dlq', 'es') })
  const letter = { backend: 'es', reason: 'mapping', time: new Date().toISOString(), tries: 1 }
  await letters.put([{ ...letter, frame: frame.id, n: 3, record: frame.lines[3] ?? '' }])
  await letters.close()
  scene.forget(frame)
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['repaired'])
  assert.equal(scene.metrics.get('audit_repaired_total{loki,es}'), 19)
  assert.equal(scene.metrics.get('audit_repaired_total{loki,dead_letters}'), 1)
  assert.equal(scene.loki.count(), 20)
  assert.deepEqual(outcomes(await scene.engine.check([task])), ['agreed'])
})
