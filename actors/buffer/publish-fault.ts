// What a failed publish means: has the server refused the frame, or does nobody know; and the reason in words.
import { JetStreamApiError } from '@nats-io/jetstream'
import { errors } from 'nats'
import { saidOf } from '../../protocol/errors.js'
import { LOGS_STREAM } from '../../protocol/subjects.js'
import type { PublishFault } from './window.js'

/** Codes of the server (nats-server, errors.json): the stream or the account is at its limit. */
export const STREAM_FULL: ReadonlySet<number> = new Set([10023, 10047, 10077, 10002, 10028])

export function publishFault(error: unknown): PublishFault {
  const said = saidOf(error)
  if (error instanceof JetStreamApiError) {
    if (STREAM_FULL.has(error.code))
      return {
        reason: `the stream ${LOGS_STREAM} is full (${said}): frames wait in the journal until writers catch up; start more, or raise nats.streams.logs_bytes_max`,
        refused: true,
      }
    return { reason: `NATS refuses frames (${said}); look at \`millrace ctl streams\``, refused: true }
  }
  if (error instanceof errors.TimeoutError)
    return {
      reason: 'NATS does not acknowledge frames in time: overloaded, or without a leader',
      refused: false,
    }
  if (error instanceof errors.ClosedConnectionError)
    return { reason: 'the connection to NATS ended', refused: false }
  return { reason: `publishing failed (${said})`, refused: false }
}
