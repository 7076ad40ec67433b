// Guards the words of a failed publish: an operator who is sent to the wrong stream, or an unknown outcome that passes for a refusal.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JetStreamApiError } from '@nats-io/jetstream'
import { errors } from 'nats'
import { partsFault, publishFault } from '../../actors/buffer/publish-fault.js'

const full = () =>
  new JetStreamApiError({ code: 503, err_code: 10077, description: 'maximum bytes exceeded' })

test('a full stream of pieces is not called the stream of frames', () => {
  const pieces = publishFault(partsFault(full()))
  assert.match(pieces.reason, /^the stream MILLRACE_PARTS is full \(maximum bytes exceeded\).*logs_bytes_max/)
  assert.equal(pieces.refused, true)
  const whole = publishFault(full())
  assert.match(whole.reason, /^the stream MILLRACE_LOGS is full/)
  assert.equal(whole.refused, true)
})

test('a piece without an answer may be there', () => {
  for (const fault of [new errors.TimeoutError(), new errors.ClosedConnectionError(), new Error('odd')])
    for (const { refused } of [publishFault(fault), publishFault(partsFault(fault))])
      assert.equal(refused, false)
  assert.match(publishFault(partsFault(new errors.TimeoutError())).reason, /MILLRACE_PARTS in time/)
})
