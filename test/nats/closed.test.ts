// Guards the moment between the end of a connection and the word of it: what is said in it is lost, and takes no thread with it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createControlService } from '../../actors/control/service.js'
import { trafficWiring } from '../../actors/control/traffic-wiring.js'
import { systemClock } from '../../runtime/clock.js'
import { NODE, onConnection } from './asking-server.js'

test('a verb that is answered after the connection ended', () =>
  onConnection({}, async (connection) => {
    let told: (id: number) => void = () => undefined
    const asked = new Promise<number>((resolve) => (told = resolve))
    const service = createControlService({
      node: NODE,
      version: '1.0.0',
      clock: systemClock,
      ask: (id) => told(id),
      cancel: () => undefined,
      refused: () => undefined,
    })
    await service.attach(connection)
    const id = await asked
    await connection.close()
    service.answer(id, { ok: true, result: {} })
    service.lines(id, 'a line\n')
    service.detach()
  }))

test('counts that are said, and a sum that is begun or left, after the connection ended', () =>
  onConnection({}, async (connection) => {
    const nothing = () => undefined
    const port = trafficWiring(connection, NODE, { onSum: nothing, onAsked: nothing, onCounts: nothing })
    const unlisten = port.listen()
    await connection.close()
    port.counts(new Uint8Array(1))
    port.askAll()
    unlisten()
    port.listen()()
    assert.ok(connection.isClosed())
  }))
