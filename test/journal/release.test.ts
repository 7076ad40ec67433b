// The journal at its bound with at_bound: release: a lagging backend's frames go only when another backend has them and the audit knows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until, writer } from './harness.js'
import { outage } from './outage.js'

const FRAMES = 40
const SMALL = { bytes_max: 40_000, segment_bytes: 10_000, at_bound: 'release' } as const

test('what the other backend has leaves, once the audit has all of it; nothing is given up and nobody waits', async (t) => {
  const { journal, up, queued, append } = await outage(t, SMALL, ['es', 'loki'], true)
  for (let n = 0; n < FRAMES; n++) assert.ok(await append(n), `frame ${n} is taken`)
  const bytes = journal.metrics.get('journal_bytes{}') ?? 0
  assert.ok(bytes > 0 && bytes <= 50_000, `${bytes}`)
  const released = (journal.metrics.get('journal_released_records_total{es}') ?? 0) / 2
  assert.ok(released > 20 && released < FRAMES, `${released}`)
  assert.equal(journal.metrics.get('journal_released_records_total{loki}'), undefined)
  assert.equal(journal.metrics.get('journal_dropped_records_total{es}'), undefined)
  for (let seq = 0; seq < released; seq++) assert.ok(queued.has(seq), `the audit has frame ${seq}`)
  assert.ok(journal.take('status').every(({ ready }) => ready))
  // The rest comes from the journal when it is back.
  const es = writer(journal, 'es')
  es.subscribe()
  const seen: number[] = []
  await until(() => (seen.push(...es.frames().map(({ seq }) => seq)), seen.at(-1) === FRAMES - 1))
  assert.deepEqual(
    seen,
    Array.from({ length: FRAMES - released }, (_, n) => released + n),
  )
  assert.deepEqual(up.frames(), [])
})

for (const [why, writers, audited] of [
  ['the audit is not there', ['es', 'loki'], false],
  ['no other backend has it', ['es'], true],
  ['the lagging one is an archive, which nobody fills up later', ['vault', 'loki'], true],
] as const)
  test(`sources wait, as with block, when ${why}`, async (t) => {
    const { journal, append } = await outage(t, SMALL, writers, audited)
    let taken = 0
    while (taken < FRAMES && (await append(taken))) taken++
    assert.ok(taken >= 9 && taken <= 12, `${taken}`)
    await until(() => journal.take('status').some(({ ready, reason }) => !ready && reason !== undefined))
    for (const name of ['journal_released_records_total', 'journal_dropped_records_total'])
      for (const backend of writers) assert.equal(journal.metrics.get(`${name}{${backend}}`), undefined)
  })

test('what a writer still holds when its segment leaves is counted as released, not as given up, if the writer dies', async (t) => {
  const { journal, append } = await outage(t, SMALL, ['es', 'loki'], true)
  const es = writer(journal, 'es')
  es.subscribe()
  for (let n = 0; n < FRAMES; n++) {
    assert.ok(await append(n))
    es.frames()
  }
  assert.equal(journal.metrics.get('journal_released_records_total{es}') ?? 0, 0, 'all is in its hands')
  es.subscribe()
  await journal.quiet()
  assert.ok((journal.metrics.get('journal_released_records_total{es}') ?? 0) > 0)
  assert.equal(journal.metrics.get('journal_dropped_records_total{es}'), undefined)
})
