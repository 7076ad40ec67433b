// Guards the verbs and the socket: who may ask, what is refused and how, what is logged, and that nothing a client sends hurts the node.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { pino } from 'pino'
import { parseEnvelope, parseRequest, verbNames, VERBS } from '../../protocol/control/verbs.js'
import { MillraceError } from '../../protocol/errors.js'
import { type Caller, type ControlHost, createControl } from '../../runtime/control/control.js'
import { socketPath, startControlSocket } from '../../runtime/control/socket.js'
import { askSocket } from '../../runtime/control/socket-client.js'

const silent = pino({ level: 'silent' })
const LOCAL: Caller = { via: 'socket', readOnly: false }
const TIMEOUT_MS = 5000

function fixture(more: Partial<ControlHost> = {}) {
  const calls: string[] = []
  const lines: Record<string, unknown>[] = []
  const log = pino(
    { level: 'error', base: null },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  )
  const called =
    (name: string) =>
    (...args: unknown[]) => {
      calls.push(`${name} ${JSON.stringify(args)}`)
      return { did: name }
    }
  const host: ControlHost = {
    status: called('status'),
    actors: called('actors'),
    config: called('config'),
    drain: called('drain'),
    resume: called('resume'),
    reload: called('reload'),
    breaker: called('breaker'),
    boost: called('boost'),
    restart: called('restart'),
    capture: called('capture'),
    tap: () => undefined,
    ...more,
  }
  const counted: string[] = []
  const control = createControl(host, log, (verb, outcome) => void counted.push(`${verb} ${outcome}`))
  return { control, calls, lines, counted }
}

const ask = (verb: string, args: Record<string, unknown> = {}) => ({ verb, args, by: 'ann@host' })

test('a change is logged with who, what and how it ended, whatever the level of the log; a look is not', async () => {
  const { control, lines, counted } = fixture()
  await control.handle(ask('status'), LOCAL)
  await control.handle(ask('breaker', { backend: 'es', action: 'open' }), LOCAL)
  await control.handle(ask('breaker', { backend: 'es', action: 'shut' }), {
    ...LOCAL,
    via: 'nats',
    known: 'account X',
  })
  const said = lines.map(({ verb, by, via, known, args, outcome }) => ({
    verb,
    by,
    via,
    known,
    args,
    outcome,
  }))
  assert.deepEqual(said, [
    {
      verb: 'breaker',
      by: 'ann@host',
      via: 'socket',
      known: undefined,
      args: { backend: 'es', action: 'open' },
      outcome: 'done',
    },
    {
      verb: 'breaker',
      by: 'ann@host',
      via: 'nats',
      known: 'account X',
      args: { backend: 'es', action: 'shut' },
      outcome: 'refused',
    },
  ])
  assert.deepEqual(counted, ['status done', 'breaker done', 'unknown refused'])
})

test('a caller who may only look changes nothing', async () => {
  const { control, calls } = fixture()
  const args: Record<string, Record<string, unknown>> = {
    breaker: { backend: 'es', action: 'open' },
    boost: { service: 'cart' },
    restart: { actor: 'parse' },
    capture: { namespace: 'a', pod: 'b' },
  }
  for (const verb of verbNames.filter((name) => name !== 'tap')) {
    const answer = await control.handle(ask(verb, args[verb]), { ...LOCAL, readOnly: true })
    assert.equal(answer.ok, VERBS[verb].effect === 'read', verb)
    if (!answer.ok) assert.equal(answer.code, 'control.forbidden')
  }
  assert.deepEqual(
    calls.map((call) => call.split(' ')[0]),
    ['status', 'actors', 'config'],
  )
})

test('a bug behind a verb is an answer, and a refusal keeps its code', async () => {
  const bug = fixture({
    drain: () => {
      throw new TypeError('oops')
    },
    reload: () => Promise.reject(new MillraceError('config.unknown_key', 'line 3')),
  })
  assert.deepEqual(await bug.control.handle(ask('drain'), LOCAL), {
    ok: false,
    code: 'control.failed',
    message: 'oops',
  })
  assert.deepEqual(await bug.control.handle(ask('reload'), LOCAL), {
    ok: false,
    code: 'config.unknown_key',
    message: 'line 3',
  })
})

test('arguments are refused by name, and whatever comes is read or refused', () => {
  const refused: [string, Record<string, unknown>, RegExp][] = [
    ['fly', {}, /"fly" is no verb; there are status, actors/],
    ['toString', {}, /is no verb/],
    ['drain', { now: 1 }, /drain: unknown argument "now"; it takes none/],
    ['boost', {}, /boost: nothing to match/],
    ['boost', { service: 'a', forMs: 1e12 }, /boost: forMs: got 1000000000000/],
    ['tap', { rate: 0 }, /tap: rate: got 0/],
    ['tap', { filter: 'a~[' }, /./],
    ['restart', {}, /restart: actor: got nothing, expected a name/],
  ]
  for (const [verb, args, message] of refused) assert.throws(() => parseRequest(ask(verb, args)), message)
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseRequest(parseEnvelope(text))
      } catch (error) {
        assert.ok(error instanceof MillraceError, String(error))
      }
    }),
  )
  assert.equal(parseEnvelope('{"verb":"drain","by":"a\\nlevel:50"}').by, 'a level:50')
})

test('a tap that is not opened, or whose caller is gone, takes no slot', async () => {
  const aborted = AbortSignal.abort()
  let ends: AbortController | undefined
  let fails = false
  const { control } = fixture({
    tap() {
      if (fails) throw new Error('no journal')
      ends?.abort()
    },
  })
  const open = (signal: AbortSignal) =>
    control.handle(ask('tap'), { ...LOCAL, stream: { onLines: () => undefined, signal } })
  for (let n = 0; n < 20; n++) {
    assert.equal((await open(aborted)).ok, false)
    fails = true
    assert.equal((await open(new AbortController().signal)).ok, false)
    fails = false
    ends = new AbortController()
    assert.equal((await open(ends.signal)).ok, true)
    ends = undefined
  }
  const live = new AbortController()
  for (let n = 0; n < 8; n++) assert.equal((await open(live.signal)).ok, true)
  assert.deepEqual(await open(live.signal), {
    ok: false,
    code: 'control.taps',
    message: '8 taps are open already; close one',
  })
  live.abort()
  assert.equal((await open(new AbortController().signal)).ok, true)
})

async function withSocket(
  more: Partial<ControlHost>,
  run: (folder: string, fixtures: ReturnType<typeof fixture>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-ctl-'))
  const fixtures = fixture(more)
  // A dead process's socket lies in the way.
  writeFileSync(socketPath(folder), '')
  const socket = await startControlSocket(folder, fixtures.control, silent)
  try {
    assert.ok(socket)
    await run(folder, fixtures)
  } finally {
    await socket?.close()
    assert.equal(existsSync(socketPath(folder)), false)
    rmSync(folder, { recursive: true })
  }
}

test('the socket is the owner’s alone and answers each request', () =>
  withSocket({}, async (folder, { calls }) => {
    assert.equal(statSync(socketPath(folder)).mode & 0o777, 0o600)
    const answers = await Promise.all(
      ['drain', 'resume', 'nothing'].map((verb) => askSocket(folder, ask(verb), { timeoutMs: TIMEOUT_MS })),
    )
    assert.deepEqual(
      answers.map(({ ok }) => ok),
      [true, true, false],
    )
    assert.deepEqual(calls.toSorted(), ['drain []', 'resume []'])
  }))

test('a tap over the socket ends on the node when its client goes', async () => {
  let ended: Promise<void> | undefined
  const tap: ControlHost['tap'] = (filter, _rate, onLines, signal) => {
    ended = new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
    onLines(`{"filter":${JSON.stringify(filter)}}\n`)
  }
  await withSocket({ tap }, async (folder) => {
    const stop = new AbortController()
    const seen: string[] = []
    const answer = await askSocket(folder, ask('tap', { filter: 'level>=WARN' }), {
      timeoutMs: TIMEOUT_MS,
      signal: stop.signal,
      onLines(ndjson) {
        seen.push(ndjson)
        stop.abort()
      },
    })
    assert.equal(answer.ok, true)
    assert.deepEqual(seen, ['{"filter":"level>=WARN"}\n'])
    await ended
  })
})

test('a client that sends nonsense, too much, or nothing at the end is let go', () =>
  withSocket({}, async (folder) => {
    const talk = (bytes: string) =>
      new Promise<string>((resolve) => {
        let said = ''
        const socket = createConnection(socketPath(folder), () => socket.end(bytes))
        socket.on('data', (piece) => (said += String(piece)))
        socket.on('error', () => undefined)
        socket.on('close', () => resolve(said))
      })
    assert.match(await talk('hello\n'), /"code":"usage.control"/)
    assert.equal(await talk('x'.repeat(200_000)), '')
    assert.equal(await talk('{"verb":'), '')
    assert.equal((await askSocket(folder, ask('status'), { timeoutMs: TIMEOUT_MS })).ok, true)
  }))

test('no node, or a path that is too long for a socket, is said in words', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-ctl-'))
  await assert.rejects(askSocket(folder, ask('status'), { timeoutMs: TIMEOUT_MS }), {
    code: 'node.unreachable',
    message: /no node answers on .*control\.sock \(ENOENT\); start one with `millrace run`/,
  })
  const long = path.join(folder, 'x'.repeat(120))
  assert.equal(await startControlSocket(long, fixture().control, silent), undefined)
  rmSync(folder, { recursive: true })
})
