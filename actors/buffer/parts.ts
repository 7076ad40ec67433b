// A frame that is larger than a message may be: its pieces lie in a stream of their own, a copy for each backend.
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import { PARTS_STREAM, partSubject, partsOfFrame } from '../../protocol/subjects.js'
import type { PartsNote } from '../../protocol/buffer.js'
import { partsFault } from './publish-fault.js'

/*
 * Pieces in the log stream would be handed to whichever writers ask next, and a writer that has one piece could neither acknowledge
 * it (it would be gone for the others) nor finish the frame. So only a note goes through the log stream; who gets it reads the pieces
 * by subject. The stream of parts keeps what it has until a writer removes it: after its backend has the frame and the server has
 * confirmed the note's acknowledgement. A crash in between leaves pieces behind that nobody needs; see sweep.ts.
 */

/** Headers of a message beside its payload. */
const HEADERS_BYTES = 1024

/** Bytes of one piece: an answer that holds it as base64 fits into a message too. Undefined: the frame fits into one. */
export function partBytesOf(frameBytes: number, payloadBytesMax: number): number | undefined {
  if (frameBytes + HEADERS_BYTES <= payloadBytesMax) return undefined
  return Math.floor(((payloadBytesMax - HEADERS_BYTES) * 3) / 4) - HEADERS_BYTES
}

/** Resolves when the server has all pieces for all backends. Rejects with what publishFault understands. */
export async function publishParts(
  js: JetStreamClient,
  logs: string,
  note: PartsNote,
  encoded: Uint8Array,
  to: { readonly backends: readonly string[]; readonly timeoutMs: number },
): Promise<void> {
  for (const backend of to.backends) {
    const place: PiecesPlace = {
      stream: PARTS_STREAM,
      subject: (n) => partSubject(backend, logs, note.frame, note.partBytes, n),
    }
    try {
      await publishPieces(js, place, note.partBytes, encoded, to.timeoutMs)
    } catch (error) {
      throw partsFault(error)
    }
  }
}

/** Where pieces lie: each on a subject of its own in a stream that keeps one message a subject. */
export interface PiecesPlace {
  readonly stream: string
  subject(n: number): string
}

/** Resolves when the server has all of them. Rejects as JetStreamClient.publish does. */
export async function publishPieces(
  js: JetStreamClient,
  { stream, subject }: PiecesPlace,
  partBytes: number,
  bytes: Uint8Array,
  timeout: number,
): Promise<void> {
  const pieces: Promise<unknown>[] = []
  for (let at = 0, n = 0; at < bytes.length; at += partBytes, n++) {
    const piece = bytes.subarray(at, at + partBytes)
    pieces.push(js.publish(subject(n), piece, { timeout, expect: { streamName: stream } }))
  }
  await Promise.all(pieces)
}

/** The frame; undefined when a piece is not there (any more). Rejects when the server does not answer. */
export async function readParts(
  manager: JetStreamManager,
  backend: string,
  logs: string,
  note: PartsNote,
): Promise<Uint8Array | undefined> {
  const subject = (n: number) => partSubject(backend, logs, note.frame, note.partBytes, n)
  return readPieces(manager, { stream: PARTS_STREAM, subject }, note)
}

/** What the pieces make together; undefined when one is not there (any more). */
export async function readPieces(
  manager: JetStreamManager,
  { stream, subject }: PiecesPlace,
  { bytes, partBytes }: Pick<PartsNote, 'bytes' | 'partBytes'>,
): Promise<Uint8Array | undefined> {
  const whole = new Uint8Array(bytes)
  for (let at = 0, n = 0; at < bytes; at += partBytes, n++) {
    // From the leader, not by direct get: a replica that is behind would say that there is none.
    const found = await manager.streams.getMessage(stream, { last_by_subj: subject(n) })
    if (found === null || found.data.length !== Math.min(partBytes, bytes - at)) return undefined
    whole.set(found.data, at)
  }
  return whole
}

export async function removeParts(
  manager: JetStreamManager,
  backend: string,
  logs: string,
  frame: string,
): Promise<void> {
  await manager.streams.purge(PARTS_STREAM, { filter: partsOfFrame(backend, logs, frame) })
}
