// Dead letters by hand: what is sent again leaves, what is refused again stays, and a running writer's file is never touched.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createDeadLetters, type DeadLetter } from '../../runtime/dead-letters.js'
import {
  letterFigures,
  letterId,
  readLetters,
  removeLetters,
  type StoredLetter,
} from '../../runtime/letter-store.js'
import { openDesk } from '../node/desk.js'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import { canonicalLine, frameId } from '../writers/frames.js'

function letter(frame: number, n: number, more: Partial<DeadLetter> = {}): DeadLetter {
  const record = canonicalLine({ tsNs: BigInt(Date.now()) * 1_000_000n, service: `s${n}` })
  const time = new Date().toISOString()
  return { backend: 'es', reason: 'mapping', time, tries: 1, frame: frameId(frame), n, record, ...more }
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-dlq-'))
  t.after(() => rm(made, { recursive: true, force: true }))
  return made
}

async function all(root: string): Promise<StoredLetter[]> {
  const letters: StoredLetter[] = []
  for await (const stored of readLetters(root)) letters.push(stored)
  return letters
}

test('letters taken out are out at once, and the file that a writer appends to is not rewritten under it', async (t) => {
  const root = await folder(t)
  const letters = createDeadLetters({ folder: join(root, 'es'), fileBytesMax: 800 })
  t.after(() => letters.close())
  for (let n = 0; n < 8; n++) await letters.put([letter(1, n)])
  const files = (await readdir(join(root, 'es'))).toSorted()
  assert.ok(files.length > 2)
  const newest = join(root, 'es', files.at(-1) ?? '')
  const before = await readFile(newest)
  const stored = await all(root)
  assert.equal(stored.length, 8)
  await removeLetters(root, stored.slice(1))
  assert.deepEqual(
    (await all(root)).map((each) => letterId(each.letter)),
    [`${frameId(1)}-0`],
  )
  assert.deepEqual(await readFile(newest), before)
  assert.equal((await letterFigures(root)).get('es')?.letters, 1)
  await letters.put([letter(2, 0)])
  assert.equal((await all(root)).length, 2, 'the writer goes on in its file')
  await letters.close()
  await removeLetters(root, [stored[0] as StoredLetter])
  assert.deepEqual(
    (await all(root)).map((each) => each.letter.frame),
    [frameId(2)],
  )
  assert.deepEqual(
    (await readdir(join(root, 'es'))).filter((name) => name.endsWith('.ids')),
    [],
    'nothing is noted any more that no file holds',
  )
})

test('list, show, redrive and purge by filter, with the executable', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const es = await startElasticsearchStandIn({ store: 'records' })
  t.after(es.close)
  const file = desk.write(
    'm.yaml',
    `node: { data_dir: ./data }\nsources: { a: { type: stdin } }\nbackends: { es: { type: elasticsearch, url: "${es.url}" } }\n`,
  )
  const root = join(desk.folder, 'data', 'dlq')
  const letters = createDeadLetters({ folder: join(root, 'es') })
  await letters.put([
    letter(1, 0),
    letter(1, 7),
    letter(2, 3),
    letter(2, 4, { reason: 'too_large', record: 'no json' }),
  ])
  await letters.put([letter(3, 1, { time: '2020-01-01T00:00:00.000Z' })])
  await letters.close()
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await desk.run('dlq', ...args, '-c', file, '--json')
    return { code, stderr, value: (stdout === '' ? {} : JSON.parse(stdout)) as Record<string, unknown> }
  }
  assert.equal((await json('list')).value['found'], 5)
  assert.equal((await json('list', '--service', 's7')).value['found'], 1)
  assert.equal((await json('list', '--since', '1h', '--reason', 'mapping')).value['found'], 3)
  const shown = await json('show', `${frameId(2)}-4`)
  assert.deepEqual([shown.code, shown.value['record']], [0, 'no json'])
  assert.equal((await json('show', 'nope-1')).code, 1)
  const told = await json('purge', '--until', '30d')
  assert.deepEqual([told.value['letters'], told.value['purged']], [1, false])
  await json('purge', '--until', '30d', '--yes')
  const redriven = await json('redrive')
  assert.equal(redriven.code, 1, 'one is no record and stays')
  assert.deepEqual([redriven.value['sent'], redriven.value['refused']], [3, 1])
  assert.deepEqual([...es.documents().keys()].toSorted(), [
    `${frameId(1)}-0`,
    `${frameId(1)}-7`,
    `${frameId(2)}-3`,
  ])
  const left = await json('list')
  assert.deepEqual(
    [left.value['found'], (left.value['letters'] as { reason: string }[])[0]?.reason],
    [1, 'too_large'],
  )
})

test('a purge by service leaves the records of others that only speak of it', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const backend = 'es: { type: elasticsearch, url: "http://127.0.0.1:9" }'
  const config = `node: { data_dir: ./data }\nsources: { a: { type: stdin } }\nbackends: { ${backend} }\n`
  const file = desk.write('m.yaml', config)
  const root = join(desk.folder, 'data', 'dlq')
  const letters = createDeadLetters({ folder: join(root, 'es') })
  const records = [
    { service_name: 'cart' },
    { service_name: 'till', peer: { service_name: 'cart' } },
    { peer: { service_name: 'cart' }, service_name: 'till' },
    { service_name: 'till', message: '"service_name":"cart"' },
    { message: 'no name' },
  ]
  await letters.put(records.map((record, n) => letter(1, n, { record: JSON.stringify(record) })))
  await letters.close()
  const listed = await desk.run('dlq', 'list', '-c', file, '--json')
  const rows = (JSON.parse(listed.stdout) as { letters: { service: string }[] }).letters
  assert.deepEqual(
    rows.map(({ service }) => service),
    ['cart', 'till', 'till', 'till', ''],
  )
  const { stdout } = await desk.run('dlq', 'purge', '--service', 'cart', '--yes', '-c', file)
  assert.equal(stdout, '1 letters purged\n')
  assert.deepEqual(
    (await all(root)).map((each) => each.letter.n),
    [1, 2, 3, 4],
  )
})
