// A writer that begins anew: what was meant for its former life neither counts nor frees what it is lent now.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tempFolder } from './folder.js'
import { frame, position } from './frames.js'
import { run, until, writer } from './harness.js'

async function once<T>(take: () => T[]): Promise<T[]> {
  let taken: T[] = []
  await until(() => (taken = take()).length > 0)
  return taken
}

test('a frame sent to a writer before it subscribed anew is not of its session, and `taken` for it frees nothing', async (t) => {
  const journal = await run(t, await tempFolder(t), { writers: ['es', 'loki'] })
  const [es, loki] = [writer(journal, 'es'), writer(journal, 'loki')]
  es.subscribe()
  loki.subscribe()
  await until(() => journal.append(frame('f0', ['{"n":0}'], [position('a', 1)])))
  await until(() => journal.take('committed').length > 0)
  const [early] = journal.take('frame', 'writer.es')
  // The slot is kept for loki, so that it can be lent to es again.
  es.subscribe()
  const [again] = await once(() => journal.take('frame', 'writer.es'))
  assert.ok(early !== undefined && again !== undefined && again.session !== early.session)
  assert.equal(again.slot, early.slot)
  loki.frames()
  journal.tell({ type: 'taken', writer: 'es', session: early.session, seq: 0 }, 'writer.es')
  await journal.quiet()
  assert.equal(journal.slots.free(), 7)
  journal.tell({ type: 'taken', writer: 'es', session: again.session, seq: 0 }, 'writer.es')
  await until(() => journal.slots.free() === 8)
})
