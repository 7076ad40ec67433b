// Dead letters by hand: what is sent again leaves, what is refused again stays, and a running writer loses nothing.
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createDeadLetters, type DeadLetter, deadLetterCount } from '../../runtime/dead-letters.js'
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

/** As they lie there, out or not. */
async function numbersOnDisk(at: string): Promise<number[]> {
  const names = (await readdir(at)).filter((name) => name.endsWith('.ndjson')).toSorted()
  const texts = await Promise.all(names.map((name) => readFile(join(at, name), 'utf8')))
  return texts
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as DeadLetter).n)
}

test('letters taken out are out at once, and gone from the disk, also from the file that a writer appends to', async (t) => {
  const root = await folder(t)
  const letters = createDeadLetters({ folder: join(root, 'es'), fileBytesMax: 800 })
  t.after(() => letters.close())
  for (let n = 0; n < 8; n++) await letters.put([letter(1, n)])
  const files = (await readdir(join(root, 'es'))).toSorted()
  assert.ok(files.length > 2)
  const stored = await all(root)
  assert.equal(stored.length, 8)
  await removeLetters(root, stored.slice(1))
  assert.deepEqual(
    (await all(root)).map((each) => letterId(each.letter)),
    [`${frameId(1)}-0`],
  )
  assert.deepEqual(await numbersOnDisk(join(root, 'es')), [0])
  assert.equal((await letterFigures(root)).get('es')?.letters, 1)
  await letters.put([letter(2, 0)])
  assert.equal((await all(root)).length, 2, 'the writer goes on in the next file')
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

test('a writer that buries while letters are taken out loses none, and none that is out stays on the disk', async (t) => {
  const root = await folder(t)
  const letters = createDeadLetters({ folder: join(root, 'es'), fileBytesMax: 4000 })
  t.after(() => letters.close())
  const out = new Set<number>()
  const rounds = 40
  for (let round = 0; round < rounds; round++) {
    const odd = (await all(root)).filter(({ letter: { n } }) => n % 2 === 1)
    for (const { letter: taken } of odd) out.add(taken.n)
    const burial = async (): Promise<void> => {
      for (let n = 4 * round; n < 4 * round + 4; n++) await letters.put([letter(1, n)])
    }
    await Promise.all([removeLetters(root, odd), burial()])
  }
  const last = (await all(root)).filter(({ letter: { n } }) => n % 2 === 1)
  await removeLetters(root, last)
  const even = Array.from({ length: 2 * rounds }, (_, n) => 2 * n)
  assert.deepEqual(
    [...new Set(await numbersOnDisk(join(root, 'es')))].toSorted((a, b) => a - b),
    even,
  )
  assert.ok(out.size > rounds)
})

test('a letter that is on its way into a file which is rewritten in that moment is in the next one', async (t) => {
  const root = await folder(t)
  const letters = createDeadLetters({ folder: join(root, 'es') })
  t.after(() => letters.close())
  await letters.put([letter(1, 0)])
  const [old = '', next = ''] = ['00000000.ndjson', '00000001.ndjson'].map((name) => join(root, 'es', name))
  const late = letter(1, 1)
  // It is made into a line after the writer has looked for a newer file, and before it writes.
  const purge = (): DeadLetter => {
    writeFileSync(next, '', { flag: 'a' })
    rmSync(old, { force: true })
    return late
  }
  await letters.put([Object.assign(letter(1, 1), { toJSON: purge })])
  assert.deepEqual(await numbersOnDisk(join(root, 'es')), [1])
})

test('a purge that was killed after it had begun the next file leaves all letters where they can be read', async (t) => {
  const root = await folder(t)
  const letters = createDeadLetters({ folder: join(root, 'es') })
  t.after(() => letters.close())
  await letters.put([letter(1, 0)])
  await writeFile(join(root, 'es', '00000001.ndjson'), '')
  await letters.put([letter(1, 1)])
  await letters.put([letter(1, 2)])
  assert.deepEqual(await numbersOnDisk(join(root, 'es')), [0, 1, 2])
  assert.equal((await readFile(join(root, 'es', '00000001.ndjson'), 'utf8')).split('\n').length, 3)
})

test('a folder with the name of a file of letters stops neither the writer nor the commands, which tell of it', async (t) => {
  const desk = openDesk()
  t.after(desk.remove)
  const backend = 'es: { type: elasticsearch, url: "http://127.0.0.1:9" }'
  const config = `node: { data_dir: ./data }\nsources: { a: { type: stdin } }\nbackends: { ${backend} }\n`
  const file = desk.write('m.yaml', config)
  const root = join(desk.folder, 'data', 'dlq')
  for (const name of ['00000000.ndjson', '00000002.ndjson'])
    await mkdir(join(root, 'es', name), { recursive: true })
  const letters = createDeadLetters({ folder: join(root, 'es'), fileBytesMax: 600 })
  for (let n = 0; n < 4; n++) await letters.put([letter(1, n)])
  await letters.close()
  assert.equal(await deadLetterCount(root), 4)
  assert.equal((await letterFigures(root)).get('es')?.letters, 4)
  for (const [args, said] of [
    [['list'], /4 letters match/],
    [['show', `${frameId(1)}-3`], /service_name/],
    [['purge', '--all', '--yes'], /^4 letters purged/],
    [['list'], /^es: 0 letters in 0 bytes\n0 letters match/],
  ] as const) {
    const { code, stdout, stderr } = await desk.run('dlq', ...args, '-c', file)
    assert.match(stdout, said)
    assert.equal(code, 1)
    const [first, second] = stderr.split('\n')
    assert.match(first ?? '', /^without \S+dlq\/es\/00000000\.ndjson, which is no file of letters/)
    assert.match(second ?? '', /^without \S+dlq\/es\/00000002\.ndjson/)
  }
})
