// A frame of another node's journal, piece by piece over NATS: for a node that mends what an agent without backends cannot.
import { headers, type NatsConnection } from 'nats'
import { auditorFrameSubject } from '../../protocol/subjects.js'
import { FRAME_BYTES_MAX } from '../../protocol/frame.js'

/*
 * A request to millrace.auditor.<cluster>.<node>.frame:  { seq, at }   →   the bytes from there on, with the frame's length in a header;
 * a length of 0: the journal has let go of it. Whoever may ask may read what is logged: accounts grant it as they grant the log stream.
 */
const LENGTH_HEADER = 'Millrace-Frame-Bytes'
/** Half of the smallest message that servers must take. */
const PIECE_BYTES = 128 * 1024
const ANSWER_MS = 15_000

export interface FrameAnswers {
  readonly connection: NatsConnection
  readonly clusterId: string
  readonly node: string
  frame(seq: number): Promise<Uint8Array | undefined>
  /** A message that is none of ours. */
  foreign(): void
}

/** Returns what ends it. */
export function answerFrames(options: FrameAnswers): () => void {
  const { connection, clusterId, node } = options
  /** Asked for several times in a row. */
  let last: { readonly seq: number; readonly encoded: Promise<Uint8Array | undefined> } | undefined

  async function answer(seq: number, at: number): Promise<{ piece: Uint8Array; bytes: number }> {
    if (last?.seq !== seq) last = { seq, encoded: options.frame(seq) }
    const encoded = (await last.encoded) ?? new Uint8Array(0)
    if (at + PIECE_BYTES >= encoded.length) last = undefined
    return { piece: encoded.subarray(at, at + PIECE_BYTES), bytes: encoded.length }
  }

  const subscription = connection.subscribe(auditorFrameSubject(clusterId, node), {
    callback(error, message) {
      if (error !== null) return
      const wanted = readWanted(message.string())
      if (wanted === undefined) return options.foreign()
      answer(wanted.seq, wanted.at).then(
        ({ piece, bytes }) => {
          if (connection.isClosed()) return
          const fields = headers()
          fields.set(LENGTH_HEADER, String(bytes))
          message.respond(piece, { headers: fields })
        },
        // No answer: who asked takes the record from somewhere else.
        () => undefined,
      )
    },
  })
  return () => {
    if (!connection.isClosed()) subscription.unsubscribe()
  }
}

/** Undefined when it is not there, is cut short, or nobody answers. Its checksum is for the caller to verify. */
export async function copyFrame(
  connection: NatsConnection,
  subject: string,
  seq: number,
): Promise<Uint8Array | undefined> {
  let encoded = new Uint8Array(0)
  try {
    for (let at = 0; at === 0 || at < encoded.length; ) {
      const message = await connection.request(subject, JSON.stringify({ seq, at }), { timeout: ANSWER_MS })
      const bytes = Number(message.headers?.get(LENGTH_HEADER))
      if (!Number.isSafeInteger(bytes) || bytes <= 0 || bytes > FRAME_BYTES_MAX) return undefined
      if (at === 0) encoded = new Uint8Array(bytes)
      const piece = message.data
      if (piece.length === 0 || bytes !== encoded.length || at + piece.length > bytes) return undefined
      encoded.set(piece, at)
      at += piece.length
    }
    return encoded
  } catch {
    return undefined
  }
}

function readWanted(text: string): { readonly seq: number; readonly at: number } | undefined {
  try {
    const { seq, at } = JSON.parse(text) as Record<string, unknown>
    const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0
    return isCount(seq) && isCount(at) ? { seq, at } : undefined
  } catch {
    return undefined
  }
}
