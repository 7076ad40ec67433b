// The last seconds of stderr from disk: the right lines, whole, in order, bounded; and the stack trace among them.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { linesBackwards } from '../../actors/capture/backwards.js'
import { findPodLogs } from '../../actors/capture/log-folder.js'
import { findStack } from '../../actors/capture/stack.js'
import { readStderrTail, type StderrTail } from '../../actors/capture/stderr-tail.js'

const AT = Date.parse('2026-11-23T10:00:00Z')
const UID = '0f1e2d3c-0000-4000-8000-000000000001'
let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-stderr-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(name: string, text: string): void {
  const folder = join(root, `shop_cart-1_${UID}`, name, '..')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(root, `shop_cart-1_${UID}`, name), text)
}

function line(text: string, offsetMs: number, stream = 'stderr', tag = 'F'): string {
  return `${new Date(AT + offsetMs).toISOString().replace('Z', '000000Z')} ${stream} ${tag} ${text}\n`
}

async function tail(container: string | null = 'app', bytesMax = 65_536): Promise<StderrTail> {
  const logs = await findPodLogs([join(root, 'nowhere'), root], UID)
  assert.ok(logs !== undefined)
  return readStderrTail({ logs, container: container ?? undefined, atMs: AT, windowMs: 10_000, bytesMax })
}
const texts = ({ lines }: StderrTail) => lines.map(({ text }) => text)

test('lines read from the end are those read from the beginning, whatever their lengths', async () => {
  const file = join(root, 'file')
  const lengths = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 200_000, max: 300_000 })),
    {
      maxLength: 8,
    },
  )
  await fc.assert(
    fc.asyncProperty(lengths, fc.boolean(), async (wanted, endsWithNewline) => {
      const lines = wanted.map((length, n) => String.fromCharCode(97 + (n % 26)).repeat(length))
      writeFileSync(file, lines.join('\n') + (endsWithNewline && lines.length > 0 ? '\n' : ''))
      const read: string[] = []
      for await (const each of linesBackwards(file, { bytes: 1e9 })) read.push(each.toString())
      assert.deepEqual(read.reverse(), lines)
    }),
    { numRuns: 30 },
  )
})

test('no more is read than may be, and nothing but whole lines comes of it', async () => {
  const file = join(root, 'file')
  writeFileSync(file, 'aaaa\nbbbb\ncccc\n')
  const read: string[] = []
  const budget = { bytes: 8 }
  for await (const each of linesBackwards(file, budget)) read.push(each.toString())
  assert.deepEqual([read, budget.bytes], [['cccc'], 0])
})

test('ten seconds before the end count, standard output does not', async () => {
  write('app/0.log', line('old', -10_001) + line('a', -10_000) + line('out', -5, 'stdout') + line('b', 0))
  assert.deepEqual(texts(await tail()), ['a', 'b'])
})

test('a window that goes on in the rotated file before', async () => {
  write('app/0.log.20261123-095955', line('old', -11_000) + line('a', -6000))
  write('app/0.log', line('b', -100))
  assert.deepEqual(texts(await tail()), ['a', 'b'])
})

test('the log of the start that died, not of the next one', async () => {
  write('app/3.log', line('mine', -100))
  write('app/4.log', line('I am new', 5000))
  const found = await tail()
  assert.deepEqual([texts(found), found.restart], [['mine'], 3])
})

test('where the last ten seconds were silent, they end with the last line there is', async () => {
  write(
    'app/0.log',
    line('x', -60_000) + line('a', -45_000) + line('b', -40_000) + line('out', -10, 'stdout'),
  )
  assert.deepEqual(texts(await tail()), ['a', 'b'])
})

test('pieces of a long line are one line', async () => {
  write('app/0.log', line('one ', -2, 'stderr', 'P') + line('two', -1) + line('open', 0, 'stderr', 'P'))
  assert.deepEqual(texts(await tail()), ['one two', 'open'])
})

test('a flood is cut at its beginning, and said to be', async () => {
  write('app/0.log', Array.from({ length: 3000 }, (_, n) => line(`line ${n}`, -3000 + n)).join(''))
  const found = await tail('app', 16_384)
  assert.equal(found.truncated, true)
  assert.equal(found.lines.at(-1)?.text, 'line 2999')
  assert.ok(found.lines.length > 200 && found.lines.length < 400)
})

test('an unknown container: the lines of all of the pod, by time', async () => {
  write('app/0.log', line('1', -30) + line('3', -10))
  write('side/0.log', line('2', -20))
  const { lines } = await tail(null)
  assert.deepEqual(
    lines.map(({ container, text }) => [container, text]),
    [
      ['app', '1'],
      ['side', '2'],
      ['app', '3'],
    ],
  )
})

test('what is no log line, and a folder without logs, harm nothing', async () => {
  write('app/0.log', `garbage\n\n\0\0\0\n${line('a', -1)}2026 stderr F x\nhalf a li`)
  assert.deepEqual(texts(await tail()), ['a'])
  assert.deepEqual(texts(await tail('gone')), [])
  assert.equal(await findPodLogs([root], 'other'), undefined)
})

const TRACES: Readonly<
  Record<string, { readonly trace: readonly string[]; readonly before: readonly string[] }>
> = {
  go: {
    before: ['starting'],
    trace: [
      'panic: a [recovered]',
      '\tpanic: b',
      '',
      'goroutine 1 [running]:',
      'main.main()',
      '\t/src/main.go:3 +0x1d',
    ],
  },
  java: {
    before: ['WARN x'],
    trace: [
      'Exception in thread "main" java.lang.RuntimeException: outer',
      '\tat a.B.main(B.java:3)',
      'Caused by: java.lang.NullPointerException',
      '\t... 1 more',
    ],
  },
  python: {
    before: ['INFO x'],
    trace: [
      'Traceback (most recent call last):',
      '  File "a.py", line 1, in <module>',
      'KeyError: 1',
      '',
      'During handling of the above exception, another exception occurred:',
      '',
      'Traceback (most recent call last):',
      '  File "a.py", line 3, in <module>',
      'ValueError: 2',
    ],
  },
  rust: {
    before: ['x'],
    trace: [
      "thread 'main' panicked at src/main.rs:2:5:",
      'boom',
      'stack backtrace:',
      '   0: rust_begin_unwind',
    ],
  },
  node: {
    before: [],
    trace: [
      '/app/a.js:1',
      'throw new Error("x")',
      '^',
      '',
      'Error: x',
      '    at Object.<anonymous>',
      '',
      'Node.js v20.20.2',
    ],
  },
}
for (const [language, { before, trace }] of Object.entries(TRACES)) {
  test(`a trace of ${language} is cut out whole, with those it is chained to`, () => {
    const lines = [
      ...before.map((text) => ({ text, atMs: AT - 5000 })),
      ...trace.map((text) => ({ text, atMs: AT })),
    ]
    const later = [{ text: 'I am the next start', atMs: AT + 2000 }]
    const found = findStack([...lines, ...later].map((each) => ({ ...each, container: 'app', time: '' })))
    assert.deepEqual(found, { language, text: `${trace.join('\n')}\n` })
  })
}

test('no trace in ordinary lines', () => {
  assert.equal(findStack([{ text: 'all is well', atMs: AT, container: 'app', time: '' }]), undefined)
  assert.equal(findStack([]), undefined)
})
