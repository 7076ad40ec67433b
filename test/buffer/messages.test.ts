// Guards what a writer makes of messages: a frame taken twice, an acknowledgement forgotten, a stranger's bytes believed, pieces that do not fit.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NatsConnection } from 'nats'
import { headers } from 'nats'
import fc from 'fast-check'
import { createAcknowledge } from '../../actors/buffer/acknowledge.js'
import { createHolding, type Delivery } from '../../actors/buffer/holding.js'
import { cameInLife, maySentBefore, readLogMessage, serverLifeOf } from '../../actors/buffer/message.js'
import { partBytesOf } from '../../actors/buffer/parts.js'
import {
  AGAIN_HEADER,
  PARTS_HEADER,
  readPartsNote,
  SERVER_HEADER,
  writePartsNote,
} from '../../protocol/buffer.js'
import { FRAME_BYTES_MAX } from '../../protocol/frame.js'
import { partSubject, partsOfFrame } from '../../protocol/subjects.js'

const delivery = (streamSeq: number): Delivery => ({ streamSeq, reply: `reply.${streamSeq}` })

test('a frame that comes again while it is held goes to the writer once, and all its messages are acknowledged with it', () => {
  const holding = createHolding(1000, 2)
  assert.equal(holding.knows('x', delivery(1)), 'new')
  const { seq } = holding.begin({ id: 'x', rawBytes: 10, delivery: delivery(1), partsOf: undefined })
  assert.equal(seq, 1000)
  assert.equal(holding.knows('x', delivery(2)), 'held')
  assert.equal(holding.knows('x', delivery(1)), 'held')
  assert.deepEqual([holding.frames(), holding.rawBytes()], [1, 10])
  assert.deepEqual([...(holding.done(seq)?.deliveries.keys() ?? [])], [1, 2])
  assert.equal(holding.done(seq), undefined)
  assert.deepEqual([holding.frames(), holding.rawBytes()], [0, 0])
  assert.equal(holding.knows('x', delivery(3)), 'done')
})

test('what is done is remembered up to a bound, and what is dropped is not taken for done', () => {
  const holding = createHolding(1, 2)
  for (const id of ['a', 'b', 'c'])
    holding.done(holding.begin({ id, rawBytes: 1, delivery: delivery(1), partsOf: undefined }).seq)
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => holding.knows(id, delivery(9))),
    ['new', 'done', 'done'],
  )
  holding.begin({ id: 'd', rawBytes: 1, delivery: delivery(4), partsOf: undefined })
  assert.deepEqual(
    holding.drop().map(({ id }) => id),
    ['d'],
  )
  assert.equal(holding.knows('d', delivery(4)), 'new')
  assert.equal(holding.rawBytes(), 0)
})

test('what is done without a connection is acknowledged on the next one', () => {
  const said: string[] = []
  const connection = {
    isClosed: () => false,
    publish: (subject: string, payload: Uint8Array) =>
      void said.push(`${subject} ${Buffer.from(payload).toString()}`),
  } as unknown as NatsConnection
  const acknowledge = createAcknowledge(2)
  for (const seq of [1, 2, 3]) acknowledge.ack(delivery(seq))
  acknowledge.working(delivery(4))
  acknowledge.attach(connection)
  assert.deepEqual(said, ['reply.1 +ACK', 'reply.2 +ACK'])
  acknowledge.giveBack(delivery(5), 2000)
  acknowledge.refuse(delivery(6), 'frame.magic')
  assert.deepEqual(said.slice(2), ['reply.5 -NAK {"delay":2000000000}', 'reply.6 +TERM frame.magic'])
})

test('no bytes of a stranger are taken for a frame, and none make the writer fail', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.option(fc.string()), (data, note) => {
      const fields = headers()
      if (note !== null) fields.set(PARTS_HEADER, note.replaceAll(/[\r\n]/g, ' '))
      const found = readLogMessage({ data, headers: fields }, { verify: () => undefined })
      assert.notEqual(found.kind, 'frame')
      if (found.kind === 'foreign') assert.match(found.reason, /^[a-z_.]+$/)
    }),
  )
})

test('a note of pieces says what was written, and is bounded', () => {
  const note = { frame: 'V1StGXR8_Z5jdHi6B-myT', bytes: 900_000, partBytes: 47_360 }
  assert.deepEqual(readPartsNote(writePartsNote(note), FRAME_BYTES_MAX), note)
  for (const text of ['', 'x', 'x 0 5000', 'x 5000 10', '> 5000 5000', 'a.b 5000 5000', 'x 999999999 5000'])
    assert.equal(readPartsNote(text, FRAME_BYTES_MAX), undefined, text)
})

test('a piece fits into a message, and as base64 into the answer that brings it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 16_384, max: 8_388_608 }),
      fc.integer({ min: 1, max: FRAME_BYTES_MAX }),
      (payloadMax, frameBytes) => {
        const partBytes = partBytesOf(frameBytes, payloadMax)
        if (partBytes === undefined) return assert.ok(frameBytes < payloadMax)
        assert.ok(partBytes >= 1024)
        assert.ok(Math.ceil(partBytes / 3) * 4 < payloadMax)
      },
    ),
  )
})

test("removing a frame's pieces leaves those of other backends and frames", () => {
  const logs = 'millrace.logs.prod.node-1'
  const filter = partsOfFrame('es', logs, 'f1').replace(/>$/, '')
  assert.ok(partSubject('es', logs, 'f1', 47_360, 3).startsWith(filter))
  for (const other of [partSubject('loki', logs, 'f1', 1, 0), partSubject('es', logs, 'f10', 1, 0)])
    assert.ok(!other.startsWith(filter))
})

test('a message that was delivered or published before may have reached the backend', () => {
  const info = (deliveryCount: number) => ({ deliveryCount }) as Parameters<typeof maySentBefore>[0]['info']
  assert.equal(maySentBefore({ info: info(1), headers: headers() }), false)
  assert.equal(maySentBefore({ info: info(2), headers: headers() }), true)
  const fields = headers()
  fields.set(AGAIN_HEADER, '1')
  assert.equal(maySentBefore({ info: info(1), headers: fields }), true)
})

test('what came in an earlier life of the server, or who knows when, may have been handed out and forgotten', () => {
  const alone = {}
  const came = (server: string) => {
    const fields = headers()
    if (server !== '') fields.set(SERVER_HEADER, server)
    return { headers: fields }
  }
  const life = serverLifeOf({ server_id: 'now', jetstream: true }, alone)
  assert.equal(cameInLife(came('now'), life), true)
  assert.equal(cameInLife(came('before'), life), false)
  assert.equal(cameInLife(came(''), life), false)
  assert.equal(cameInLife({ headers: undefined }, life), false)
  // The server of the connection is not the one that hands out: its life says nothing.
  for (const elsewhere of [
    serverLifeOf({ server_id: 'now' }, alone),
    serverLifeOf({ server_id: 'now', jetstream: true }, { cluster: { name: 'c', leader: 'n1' } }),
    serverLifeOf(undefined, alone),
  ])
    assert.equal(cameInLife(came('now'), elsewhere), false)
})
