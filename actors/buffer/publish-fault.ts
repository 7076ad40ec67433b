// What a failed publish means: has the server refused the frame, or does nobody know; and the reason in words.
import { JetStreamApiError } from '@nats-io/jetstream'
import { errors } from 'nats'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import { LOGS_STREAM, PARTS_STREAM } from '../../protocol/subjects.js'
import type { PublishFault } from './window.js'

/** Codes of the server (nats-server, errors.json): the stream or the account is at its limit. */
export const STREAM_FULL: ReadonlySet<number> = new Set([10023, 10047, 10077, 10002, 10028])

/** A fault of the pieces of a frame: it is about another stream. */
export function partsFault(cause: unknown): MillraceError {
  return new MillraceError('nats.parts', `a piece of a frame was not published to ${PARTS_STREAM}`, { cause })
}

export function publishFault(error: unknown): PublishFault {
  if (error instanceof MillraceError && error.code === 'nats.parts') return faultOn(PARTS_STREAM, error.cause)
  return faultOn(LOGS_STREAM, error)
}

function faultOn(stream: string, error: unknown): PublishFault {
  const said = saidOf(error)
  if (error instanceof JetStreamApiError) {
    if (STREAM_FULL.has(error.code))
      return {
        reason: `the stream ${stream} is full (${said}): frames wait in the journal until writers catch up; start more, or raise nats.streams.logs_bytes_max`,
        refused: true,
      }
    return {
      reason: `NATS refuses frames in ${stream} (${said}); look at \`millrace ctl streams\``,
      refused: true,
    }
  }
  if (error instanceof errors.TimeoutError)
    return {
      reason: `NATS does not acknowledge frames in ${stream} in time: overloaded, or without a leader`,
      refused: false,
    }
  if (error instanceof errors.ClosedConnectionError)
    return { reason: 'the connection to NATS ended', refused: false }
  return { reason: `publishing failed (${said})`, refused: false }
}
