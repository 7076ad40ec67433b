// Reads what a message of the log stream holds: a frame, a note of where its pieces lie, or nothing of ours, with the reason.
import type { ConsumerInfo, JsMsg } from '@nats-io/jetstream'
import type { ServerInfo } from 'nats'
import {
  AGAIN_HEADER,
  FRAME_ID,
  PARTS_HEADER,
  type PartsNote,
  SERVER_HEADER,
  readPartsNote,
} from '../../protocol/buffer.js'
import { MillraceError } from '../../protocol/errors.js'
import { FRAME_BYTES_MAX } from '../../protocol/frame.js'
import { readFrameHeader } from '../../runtime/frame-header.js'
import type { FrameChecksum } from '../../runtime/frame-checksum.js'
import type { Delivery } from './holding.js'

export type Verifier = Pick<FrameChecksum, 'verify'>

/** A note of where the pieces lie. */
export interface InParts {
  readonly kind: 'parts'
  readonly id: string
  readonly note: PartsNote
}

export type LogMessage =
  | { readonly kind: 'frame'; readonly id: string; readonly rawBytes: number; readonly encoded: Uint8Array }
  | InParts
  | { readonly kind: 'foreign'; readonly reason: string }

/** Nothing of a frame is believed before its checksum: a broken one with the id of a good one would pass for it. */
export function readLogMessage(message: Pick<JsMsg, 'data' | 'headers'>, { verify }: Verifier): LogMessage {
  const text = message.headers?.get(PARTS_HEADER) ?? ''
  if (text !== '') {
    const note = readPartsNote(text, FRAME_BYTES_MAX)
    if (note === undefined) return { kind: 'foreign', reason: 'parts_note' }
    return { kind: 'parts', id: note.frame, note }
  }
  // Its bytes lie among those of other messages: a copy can be handed to another thread.
  return readFrame(new Uint8Array(message.data), { verify })
}

export function readFrame(encoded: Uint8Array, { verify }: Verifier): LogMessage {
  const fault = verify(encoded)
  if (fault !== undefined) return { kind: 'foreign', reason: fault }
  try {
    const { header, prefix } = readFrameHeader(encoded)
    if (typeof header.id !== 'string' || !FRAME_ID.test(header.id))
      return { kind: 'foreign', reason: 'frame.id' }
    return { kind: 'frame', id: header.id, rawBytes: prefix.rawBytes, encoded }
  } catch (error) {
    return { kind: 'foreign', reason: error instanceof MillraceError ? error.code : 'unreadable' }
  }
}

/** The library's message has its reply subject, although its type hides it: that is what outlives the connection. */
export function deliveryOf(message: JsMsg): Delivery {
  const { reply } = message as JsMsg & { readonly reply: string }
  return { streamSeq: message.info.streamSequence, reply }
}

/** It may have been sent to the backend before: by a writer that is gone, or as another message. */
export function maySentBefore(message: Pick<JsMsg, 'info' | 'headers'>): boolean {
  return message.info.deliveryCount > 1 || (message.headers?.get(AGAIN_HEADER) ?? '') !== ''
}

/**
 * The id by which messages tell that they came in the present life of the server: what an earlier life handed out and forgot is none of
 * them. Undefined where the connection's server is not surely the one that hands out: in a cluster, or behind a leaf node.
 */
export function serverLifeOf(
  info: Pick<ServerInfo, 'server_id' | 'jetstream'> | undefined,
  consumer: Partial<Pick<ConsumerInfo, 'cluster'>>,
): string | undefined {
  return info?.jetstream === true && consumer.cluster === undefined ? info.server_id : undefined
}

export function cameInLife(message: Pick<JsMsg, 'headers'>, life: string | undefined): boolean {
  return life !== undefined && message.headers?.get(SERVER_HEADER) === life
}
