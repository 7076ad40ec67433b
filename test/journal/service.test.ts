// What else the journal owes others: taps that cost nothing, lost frames that are counted and passed over, strangers that hold nothing up.
import assert from 'node:assert/strict'
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FrameMessage } from '../../protocol/messages.js'
import { tempFolder } from './folder.js'
import { frame, position } from './frames.js'
import { run, until, writer } from './harness.js'

const lines = (from: number, to: number) =>
  Array.from(
    { length: to - from },
    (_, n) => `{"log_level":"${(from + n) % 2 === 0 ? 'INFO' : 'ERROR'}","n":${from + n}}`,
  )
const numbered = (n: number) => frame(`f${n}`, lines(n * 10, n * 10 + 10), [position('a', n + 1)])

test('a tap shows matching records, no more than its limit a second, and ends when it is told', async (t) => {
  const journal = await run(t, await tempFolder(t))
  const shown = () =>
    journal.take('tapped').flatMap(({ id, ndjson }) =>
      ndjson
        .trimEnd()
        .split('\n')
        .map((line) => [id, JSON.parse(line).n]),
    )
  journal.tell({ type: 'tap', id: 1, filter: 'log_level=ERROR', limitPerSecond: 100 })
  journal.tell({ type: 'tap', id: 2, filter: '', limitPerSecond: 3 })
  journal.tell({ type: 'tap', id: 3, filter: 'log_level~(', limitPerSecond: 3 })
  journal.append(numbered(0))
  await until(() => journal.take('committed').length > 0)
  const got = shown()
  assert.deepEqual(
    got.filter(([id]) => id === 1),
    [1, 3, 5, 7, 9].map((n) => [1, n]),
  )
  assert.deepEqual(
    got.filter(([id]) => id === 2),
    [0, 1, 2].map((n) => [2, n]),
  )
  assert.deepEqual(
    got.filter(([id]) => id === 3),
    [],
  )
  journal.tell({ type: 'untap', id: 1 })
  await journal.clock.advance(1000)
  journal.append(numbered(1))
  await until(() => journal.take('committed').length > 0)
  assert.deepEqual(
    shown(),
    [10, 11, 12].map((n) => [2, n]),
  )
})

test('a frame that rotted on disk is counted with its records and holds nobody up', async (t) => {
  const folder = await tempFolder(t)
  const first = await run(t, folder)
  for (let n = 0; n < 5; n++) {
    first.append(numbered(n))
    await until(() => first.take('committed').length > 0)
  }
  // It rots while the node runs, behind the frames that were just verified.
  const path = join(folder, 'journal', '0000000000000000.seg')
  const bytes = await readFile(path)
  bytes[bytes.indexOf('"n":25')] = 0
  await writeFile(path, bytes)
  const es = writer(first, 'es')
  es.subscribe()
  const got: FrameMessage[] = []
  await until(() => (got.push(...es.frames()), got.length === 4))
  assert.deepEqual(
    got.map(({ seq }) => seq),
    [0, 1, 3, 4],
  )
  es.done(got)
  first.tell({ type: 'end_of_input' })
  await until(() => first.take('idle').length === 1)
  assert.equal(first.metrics.get('journal_corrupt_total{frame}'), 1)
  assert.equal(first.metrics.get('journal_dropped_records_total{es}'), 10)
  assert.equal(first.metrics.get('journal_dropped_frames_total{es,corrupt}'), 1)
})

test('frames are counted as given up for the backend that lacked them also when their records are unknown', async (t) => {
  for (const [damage, reason] of [
    [(path: string) => truncate(path, 0), 'corrupt'],
    [(path: string) => rm(path), 'gone'],
  ] as const) {
    const folder = await tempFolder(t)
    const first = await run(t, folder, { writers: ['es', 'loki'] })
    const writers = { es: writer(first, 'es'), loki: writer(first, 'loki') }
    for (const each of Object.values(writers)) each.subscribe()
    for (let n = 0; n < 5; n++) {
      await until(() => first.append(numbered(n)))
      await until(() => first.take('committed').length > 0)
      const got = writers.loki.frames()
      writers.loki.done(got)
      const own = writers.es.frames()
      if (n === 0) writers.es.done(own)
    }
    await first.stop()
    await damage(join(folder, 'journal', '0000000000000000.seg'))
    const second = await run(t, folder, { writers: ['es', 'loki'], epoch: 2 })
    writer(second, 'es').subscribe()
    await until(() => second.metrics.get(`journal_dropped_frames_total{es,${reason}}`) === 4)
    assert.equal(second.metrics.get(`journal_dropped_frames_total{loki,${reason}}`), undefined)
  }
})

test('the cursor of a backend that is not configured any more is removed and holds no segment', async (t) => {
  const folder = await tempFolder(t)
  const settings = { segment_bytes: 2000 }
  const first = await run(t, folder, { settings, writers: ['es', 'old'] })
  for (const name of ['es', 'old']) writer(first, name).subscribe()
  for (let n = 0; n < 8; n++) {
    await until(() => first.append(numbered(n)))
    await until(() => first.take('committed').length > 0)
    for (const name of ['es', 'old']) writer(first, name).frames()
  }
  writer(first, 'old').done([{ seq: 0 }])
  await first.stop()
  assert.ok((await readdir(join(folder, 'journal'))).includes('old.cursor'))
  const second = await run(t, folder, { settings, epoch: 2 })
  assert.ok(!(await readdir(join(folder, 'journal'))).includes('old.cursor'))
  const es = writer(second, 'es')
  es.subscribe()
  const got: FrameMessage[] = []
  await until(() => (got.push(...es.frames()), got.length === 8))
  es.done(got)
  await second.clock.advance(1000)
  assert.equal((await readdir(join(folder, 'journal'))).filter((name) => name.endsWith('.seg')).length, 1)
})

test('messages that come while the folder is being opened are not lost', async (t) => {
  const folder = await tempFolder(t)
  const journal = await run(t, folder, {
    early(actor) {
      actor.on.positions_wanted?.(
        { type: 'positions_wanted', source: 'pods', replyTo: 'source.pods' },
        'source.pods',
      )
      actor.on.subscribe?.(
        { type: 'subscribe', writer: 'writer.es', session: 1, creditBytes: 1000, backfillBytesPerSecond: 0 },
        'writer.es',
      )
    },
  })
  assert.deepEqual(journal.take('positions', 'source.pods'), [
    { type: 'positions', source: 'pods', positions: [] },
  ])
  journal.append(numbered(0))
  await until(() => journal.take('frame', 'writer.es').length === 1)
})
