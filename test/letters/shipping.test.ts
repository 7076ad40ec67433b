// Dead letters on their way out of the folder: nothing leaves it that nobody has, and nothing that is taken out comes back.
import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { createShipping } from '../../actors/letters/shipping.js'
import { deadLetterSubject, letterOfSubject } from '../../protocol/subjects.js'
import { systemClock } from '../../runtime/clock.js'
import { createDeadLetters, type DeadLetter } from '../../runtime/dead-letters.js'
import { withLetterLock } from '../../runtime/letter-lock.js'
import {
  letterFigures,
  letterId,
  readLetters,
  removeLetters,
  type StoredLetter,
} from '../../runtime/letter-store.js'

const letter = (n: number): DeadLetter => ({
  backend: 'es',
  reason: 'mapping',
  time: '2026-01-01T00:00:00.000Z',
  tries: 1,
  frame: 'f',
  n,
  record: `{"message":"m ${n}"}`,
})

async function scene(t: TestContext, letters: number, fileBytesMax = 2000) {
  const root = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const store = createDeadLetters({ folder: join(root, 'es'), fileBytesMax })
  t.after(() => store.close())
  for (let n = 0; n < letters; n += 5)
    await store.put(Array.from({ length: Math.min(5, letters - n) }, (_, k) => letter(n + k)))
  const stream = new Map<string, DeadLetter>()
  const put = async (one: DeadLetter) => void stream.set(letterId(one), one)
  return { root, store, stream, put, shipping: () => createShipping({ root, shipped: () => undefined }) }
}

async function inFolder(root: string): Promise<string[]> {
  const ids: string[] = []
  for await (const stored of readLetters(root)) ids.push(letterId(stored.letter))
  return ids
}

const waiting = async (root: string) => (await letterFigures(root)).get('es')?.letters ?? 0

test('all goes once, older files are deleted, and the writer goes on in its own', async (t) => {
  const { root, store, stream, put, shipping } = await scene(t, 60)
  const ship = shipping()
  assert.equal(await ship.isDue(), true)
  assert.equal(await ship.run(put), 60)
  assert.equal(stream.size, 60)
  assert.equal(await ship.isDue(), false)
  assert.equal(await ship.run(put), 0)
  assert.equal((await readdir(join(root, 'es'))).filter((name) => name.endsWith('.ndjson')).length, 1)
  assert.deepEqual([await inFolder(root), await waiting(root)], [[], 0])
  await store.put([letter(100)])
  assert.equal(await ship.isDue(), true)
  assert.equal(await ship.run(put), 1)
  assert.ok(stream.has('f-100'))
  // A later life of the node knows from the folder what is out.
  assert.equal(await shipping().run(put), 0)
})

test('what was refused stays, whenever that happens, and the next life sends all that is left', async (t) => {
  for (const refusedAt of [0, 3, 17, 40, 59]) {
    const { root, stream, put, shipping } = await scene(t, 60)
    const limited = async (one: DeadLetter) => {
      if (one.n >= refusedAt) throw new Error('full')
      await put(one)
    }
    await assert.rejects(shipping().run(limited), /full/)
    const left = new Set(await inFolder(root))
    for (let n = 0; n < 60; n++) assert.ok(left.has(`f-${n}`) || stream.has(`f-${n}`), `${refusedAt}: ${n}`)
    await shipping().run(put)
    assert.equal(stream.size, 60)
    assert.deepEqual([await inFolder(root), await waiting(root)], [[], 0])
  }
})

test('letters that a command takes out between two tries do not hide others', async (t) => {
  const { root, stream, put, shipping } = await scene(t, 60, 6000)
  const ship = shipping()
  await assert.rejects(
    ship.run(async (one) => (one.n < 25 ? put(one) : Promise.reject(new Error('full')))),
    /full/,
  )
  const purged: StoredLetter[] = []
  for await (const stored of readLetters(root)) if (stored.letter.n % 3 === 0) purged.push(stored)
  await removeLetters(root, purged)
  await ship.run(put)
  const gone = new Set(purged.map((stored) => letterId(stored.letter)))
  for (let n = 0; n < 60; n++) assert.ok(gone.has(`f-${n}`) || stream.has(`f-${n}`), String(n))
  assert.equal(await waiting(root), 0)
})

test('a process that takes letters out keeps another from it, and leaves it in the end', async (t) => {
  const root = join(await mkdtemp(join(tmpdir(), 'millrace-letters-')), 'dlq')
  t.after(() => rm(root, { recursive: true, force: true }))
  const options = { root, clock: systemClock, epoch: 0, waitMs: 0 }
  await withLetterLock(options, async () => {
    await assert.rejects(
      withLetterLock(options, () => Promise.resolve()),
      { code: 'dlq.locked' },
    )
  })
  assert.equal(await withLetterLock(options, () => Promise.resolve(7)), 7)
  await assert.rejects(
    withLetterLock(options, () => Promise.reject(new Error('inner'))),
    /inner/,
  )
  assert.equal(await withLetterLock(options, () => Promise.resolve(8)), 8)
})

test('a subject names one letter, and no letter has the subject of a piece', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.nat(999_999), (node, backend, frame, n) => {
      fc.pre(node !== '' && backend !== '' && frame !== '')
      fc.pre([node, backend, frame].every((name) => name.isWellFormed()))
      const subject = deadLetterSubject('c', node, { backend, frame, n })
      assert.deepEqual(letterOfSubject(subject), { node, backend, frame, n })
      assert.equal(letterOfSubject(`${subject}.1024.0`), undefined)
    }),
  )
})

test('half a line at the end of a file is looked at once, until the file changes', async (t) => {
  const { root, stream, put, shipping } = await scene(t, 5)
  const [name = ''] = (await readdir(join(root, 'es'))).filter((each) => each.endsWith('.ndjson'))
  await appendFile(join(root, 'es', name), '{"backend":"es","re')
  const ship = shipping()
  assert.equal(await ship.run(put), 5)
  assert.equal(await ship.isDue(), false)
  await truncate(join(root, 'es', name), (await stat(join(root, 'es', name))).size - 19)
  await appendFile(join(root, 'es', name), `${JSON.stringify(letter(77))}\n`)
  assert.equal(await ship.isDue(), true)
  assert.equal(await ship.run(put), 1)
  assert.ok(stream.has('f-77'))
})

test('a run that was refused ends when no letter of it is on its way any more', async (t) => {
  const { shipping } = await scene(t, 60)
  let under = 0
  const slow = async (one: DeadLetter) => {
    if (one.n === 3) throw new Error('full')
    under++
    await sleep(20)
    under--
  }
  await assert.rejects(shipping().run(slow), /full/)
  assert.equal(under, 0)
})
