// Noticing last words: every runtime's first line on stderr is heard in the ingest thread, and nothing else is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PANIC_LINES } from '../../actors/parse/panics.js'
import type { MessageOf, Origin } from '../../protocol/messages.js'
import { createChain } from '../ingest/chain.js'

const NOW_MS = 1_767_000_000_000 + 1_000_000
const ORIGIN: Origin = {
  id: 1,
  source: 'pods',
  format: 'cri',
  content: 'auto',
  trusted: { namespace: 'shop', pod_name: 'cart-1', pod_uid: 'u-1', container_name: 'app' },
  fallback: { service_name: 'cart', log_type: 'app' },
}

function heard(text: string, origin: Origin = ORIGIN): MessageOf<'panic'>[] {
  const chain = createChain({ panicAgeMaxMs: 60_000 })
  chain.send('parse', { type: 'origin', origin })
  chain.feed(origin.id, Buffer.from(text))
  return chain.toCapture as MessageOf<'panic'>[]
}

const at = (agoMs: number) => new Date(NOW_MS - agoMs).toISOString()
const line = (text: string, stream = 'stderr', agoMs = 0) => `${at(agoMs)} ${stream} F ${text}\n`

const LAST_WORDS = {
  go: ['panic: runtime error: index out of range', 'fatal error: all goroutines are asleep - deadlock!'],
  java: [
    'Exception in thread "main" java.lang.IllegalStateException: x',
    'java.lang.OutOfMemoryError: Java heap space',
    '# A fatal error has been detected by the Java Runtime Environment:',
  ],
  python: ['Traceback (most recent call last):', 'Fatal Python error: Segmentation fault'],
  node: [
    'Node.js v20.20.2',
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
  ],
  rust: ["thread 'main' panicked at src/main.rs:3:5:", "thread 'tokio-rt' (4242) panicked at src/a.rs:1:1:"],
}
for (const [language, lines] of Object.entries(LAST_WORDS)) {
  for (const words of lines) {
    test(`${language}: ${words}`, () => {
      const text = line('before') + line(words, 'stderr', 500) + line('after')
      assert.deepEqual(heard(text), [
        {
          type: 'panic',
          language,
          namespace: 'shop',
          podName: 'cart-1',
          podUid: 'u-1',
          containerName: 'app',
          atMs: NOW_MS - 500,
        },
      ])
    })
  }
}

test('every line that is looked for is heard at the very end of a slab, and not when a byte is missing', () => {
  for (const { begins, language } of PANIC_LINES) {
    const words = language === 'rust' ? `${begins}x' panicked at a.rs:1` : begins
    assert.equal(heard(line(words)).length, 1, begins)
    assert.equal(heard(line(begins.slice(0, -1))).length, 0, begins)
    assert.equal(heard(line(` ${begins}`)).length, 0, begins)
  }
})

test('words on standard output, within JSON, within a line, or a thread that does not panic are none', () => {
  const text = [
    line('panic: x', 'stdout'),
    line('{"msg":"panic: x","level":"error"}'),
    line('http: panic serving 10.0.0.1: boom'),
    line("thread 'main' started"),
    line(''),
  ]
  assert.deepEqual(heard(text.join('')), [])
})

test('last words that are sampled out are heard all the same', () => {
  const off = { tiers: { fatal: 0, error: 0, warn: 0, info: 0, debug: 0, trace: 0 } }
  const chain = createChain({ panicAgeMaxMs: 60_000, sampling: off })
  chain.send('parse', { type: 'origin', origin: ORIGIN })
  chain.feed(1, Buffer.from(line('panic: x')))
  chain.end()
  assert.equal(chain.toCapture.length, 1)
  assert.deepEqual(chain.lines(), [])
})

test('a backlog that is read late raises no alarm', () => {
  assert.equal(heard(line('panic: x', 'stderr', 60_001)).length, 0)
  assert.equal(heard(line('panic: x', 'stderr', 60_001) + line('panic: y')).length, 1)
})

test('a program that prints a trace with every request is heard once in a while, each log by itself', () => {
  const chain = createChain({ panicAgeMaxMs: 60_000 })
  for (const id of [1, 2]) chain.send('parse', { type: 'origin', origin: { ...ORIGIN, id } })
  const trace = Buffer.from(line('Traceback (most recent call last):').repeat(5000))
  chain.feed(1, trace)
  chain.feed(1, trace)
  chain.feed(2, trace)
  assert.equal(chain.toCapture.length, 2)
  chain.advance(9_999)
  chain.feed(1, trace)
  assert.equal(chain.toCapture.length, 2)
  chain.advance(1)
  chain.feed(1, trace)
  assert.equal(chain.toCapture.length, 3)
})

test('a caught trace does not hide the panic of another language right behind it', () => {
  const trace = line('Traceback (most recent call last):')
  const found = heard(trace + trace + line('panic: real') + line('panic: again') + trace)
  assert.deepEqual(
    found.map(({ language }) => language),
    ['python', 'go'],
  )
})

test('files that belong to no pod are not listened to', () => {
  assert.deepEqual(heard(line('panic: x'), { ...ORIGIN, trusted: {} }), [])
  assert.deepEqual(heard('panic: x\n', { ...ORIGIN, format: 'lines' }), [])
})
