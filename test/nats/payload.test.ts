// Guards the bound of a message on NATS: what containers write, or an answer that grew, is never sent too long, and that is said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createControlService } from '../../actors/control/service.js'
import { tapMessages } from '../../actors/control/tap-messages.js'
import type { ControlAnswer, Verb } from '../../protocol/control/verbs.js'
import { systemClock } from '../../runtime/clock.js'
import { NODE, onConnection } from './asking-server.js'

const MAX_PAYLOAD = 262_144
const linesOf = (message: string) => (JSON.parse(message) as { lines: string }).lines

/** What the service sends when it is asked this, and what it counts. */
async function told(
  verb: Verb,
  tell: (service: ReturnType<typeof createControlService>, id: number) => void,
): Promise<{ said: string; counted: string[] }> {
  let all = ''
  const counted: string[] = []
  await onConnection({ verb, maxPayload: MAX_PAYLOAD }, async (connection, said) => {
    let asked: (id: number) => void = () => undefined
    const id = new Promise<number>((resolve) => (asked = resolve))
    const service = createControlService({
      node: NODE,
      version: '1.0.0',
      clock: systemClock,
      ask: (at) => asked(at),
      cancel: () => undefined,
      refused: (reason) => void counted.push(reason),
    })
    await service.attach(connection)
    tell(service, await id)
    await connection.flush()
    all = said()
    service.detach()
  })
  return { said: all, counted }
}

test('a line that is too long once it is JSON within JSON ends no thread, and the caller hears of it', async () => {
  const quotes = JSON.stringify({ message: '"'.repeat(MAX_PAYLOAD / 4) })
  assert.ok(quotes.length < MAX_PAYLOAD)
  const { said, counted } = await told('tap', (service, id) =>
    service.lines(id, `{"message":"before"}\n${quotes}\n{"message":"after"}\n`),
  )
  const lines = said
    .split('\r\n')
    .filter((line) => line.startsWith('{"lines":'))
    .map(linesOf)
  assert.deepEqual(lines, [
    '{"message":"before"}\n{"message":"after"}\n' +
      `{"millrace_tap":{"dropped_records":1,"reason":"too_long","bytes_max":${MAX_PAYLOAD}}}\n`,
  ])
  assert.deepEqual(counted, ['too_long'])
})

test('an answer that no message can hold is answered by why', async () => {
  const long: [ControlAnswer, RegExp][] = [
    [{ ok: true, result: 'x'.repeat(MAX_PAYLOAD) }, /"control\.too_long".*status has 262167 bytes.*262144/],
    [{ ok: false, code: 'config.bad', message: '\u0001\r'.repeat(MAX_PAYLOAD) }, /"config\.bad"/],
  ]
  for (const [answer, expected] of long) {
    const { said } = await told('status', (service, id) => service.answer(id, answer))
    assert.match(said, expected)
  }
})

test('messages hold every line that fits, in order, and none is longer than allowed', () => {
  const line = fc.string({ unit: 'binary', maxLength: 300 }).map((message) => JSON.stringify({ message }))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.integer({ min: 200, max: 2000 }), (lines, bytesMax) => {
      const { messages, tooLong } = tapMessages(lines.map((each) => `${each}\n`).join(''), bytesMax)
      for (const message of messages) assert.ok(Buffer.byteLength(message) <= bytesMax)
      const fit = lines.filter(
        (each) => Buffer.byteLength(JSON.stringify({ lines: `${each}\n` })) <= bytesMax,
      )
      const shown = messages
        .map(linesOf)
        .join('')
        .split('\n')
        .filter((each) => each !== '')
      assert.equal(tooLong, lines.length - fit.length)
      assert.deepEqual(shown.slice(0, fit.length), fit)
      assert.equal(shown.length, fit.length + (tooLong > 0 ? 1 : 0))
    }),
  )
})
