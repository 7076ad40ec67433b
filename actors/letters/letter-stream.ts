// The dead letters in JetStream: put so that a repetition is no copy, read by filter, found by frame, taken out.
import { createHash } from 'node:crypto'
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  JetStreamApiError,
  type JsMsg,
} from '@nats-io/jetstream'
import { headers, type NatsConnection } from 'nats'
import { PARTS_HEADER, readPartsNote, writePartsNote } from '../../protocol/buffer.js'
import {
  DEAD_LETTERS_STREAM,
  deadLetterOfAnyNode,
  deadLetterPart,
  deadLettersOf,
  deadLettersOfFrame,
  deadLetterSubject,
  type LetterName,
  letterOfSubject,
} from '../../protocol/subjects.js'
import { type DeadLetter, soundLetter } from '../../runtime/dead-letters.js'
import { openStreams, streamInfo } from '../../runtime/nats/streams.js'
import { partBytesOf, type PiecesPlace, publishPieces, readPieces } from '../buffer/parts.js'

/*
 * millrace.dlq.<cluster>.<node>.<backend>.<frame>.<n>                        the letter, as JSON
 * millrace.dlq.<cluster>.<node>.<backend>.<frame>.<n>.<piece bytes>.<k>      pieces of one that is larger than a message; the letter's own
 *                                                                            message has a note instead, and comes after them
 *
 * The stream keeps one message a subject: a letter that is put again replaces itself, however much later. The message id is a hash of
 * what it says, so a repetition soon after is not even stored, while the same record buried anew (another time, another reason) is.
 */
export interface StreamLetter {
  readonly letter: DeadLetter
  /** The node that put it there. */
  readonly node: string
}

export interface LetterStream {
  /** Resolves when the server has it; rejects as JetStreamClient.publish does. */
  put(node: string, letter: DeadLetter): Promise<void>
  /** Those that are there when it begins, oldest first. */
  read(filter?: { readonly node?: string; readonly backend?: string }): AsyncGenerator<StreamLetter>
  /** Of these frames, without reading what they say. */
  names(frames: Iterable<string>): AsyncGenerator<LetterName>
  ofFrame(frame: string): AsyncGenerator<DeadLetter>
  /** Whichever nodes put them there; what is not there is no error. */
  remove(letters: readonly LetterName[]): Promise<void>
  /** Of all clusters; undefined: there is no such stream. */
  figures(): Promise<{ readonly letters: number; readonly bytes: number } | undefined>
}

const PUBLISH_MS = 5000
/** A letter holds a line and what a backend said of it; far above both. */
const LETTER_BYTES_MAX = 256 * 1024 ** 2
const READ_TOGETHER = 500
const FETCH_MS = 3000
const REMOVED_TOGETHER = 64
const MESSAGE_NOT_FOUND = 10037

/** The stream may not be there: then it is empty. Rejects with `nats.jetstream`. */
export async function openLetterStream(connection: NatsConnection, cluster: string): Promise<LetterStream> {
  const manager = await openStreams(connection)
  const js = jetstream(connection)
  const exists = async () => (await streamInfo(manager, DEAD_LETTERS_STREAM)) !== undefined

  async function letterOf(subject: string, data: Uint8Array, note: string): Promise<DeadLetter | undefined> {
    const bytes = note === '' ? data : await piecesOf(manager, subject, note)
    return bytes === undefined ? undefined : soundLetter(new TextDecoder().decode(bytes))
  }

  async function lastOf(subject: string): Promise<DeadLetter | undefined> {
    try {
      const found = await manager.streams.getMessage(DEAD_LETTERS_STREAM, { last_by_subj: subject })
      if (found === null) return undefined
      return await letterOf(found.subject, found.data, found.header.get(PARTS_HEADER))
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === MESSAGE_NOT_FOUND) return undefined
      throw error
    }
  }

  async function* subjectsOf(filter: string): AsyncGenerator<string> {
    // The client asks for all pages.
    const info = await streamInfo(manager, DEAD_LETTERS_STREAM, { subjects_filter: filter })
    yield* Object.keys(info?.state.subjects ?? {})
  }

  return {
    put: (node, letter) => put(connection, js, deadLetterSubject(cluster, node, letter), letter),
    async *read({ node, backend } = {}) {
      if (!(await exists())) return
      for await (const message of messagesOf(js, deadLettersOf(cluster, node, backend))) {
        const about = letterOfSubject(message.subject)
        const letter = await letterOf(message.subject, message.data, message.headers?.get(PARTS_HEADER) ?? '')
        if (about !== undefined && letter !== undefined) yield { letter, node: about.node }
      }
    },
    async *names(frames) {
      for (const frame of frames)
        for await (const subject of subjectsOf(deadLettersOfFrame(cluster, frame))) {
          const name = letterOfSubject(subject)
          if (name !== undefined) yield name
        }
    },
    async *ofFrame(frame) {
      for await (const subject of subjectsOf(deadLettersOfFrame(cluster, frame))) {
        const letter = await lastOf(subject)
        if (letter !== undefined) yield letter
      }
    },
    async remove(letters) {
      if (letters.length === 0 || !(await exists())) return
      for (let at = 0; at < letters.length; at += REMOVED_TOGETHER)
        await Promise.all(
          letters.slice(at, at + REMOVED_TOGETHER).map(async (name) => {
            const filter = deadLetterOfAnyNode(cluster, name)
            await manager.streams.purge(DEAD_LETTERS_STREAM, { filter })
            await manager.streams.purge(DEAD_LETTERS_STREAM, { filter: `${filter}.>` })
          }),
        )
    },
    async figures() {
      const info = await streamInfo(manager, DEAD_LETTERS_STREAM)
      return info === undefined ? undefined : { letters: info.state.messages, bytes: info.state.bytes }
    },
  }
}

async function put(
  connection: NatsConnection,
  js: JetStreamClient,
  subject: string,
  letter: DeadLetter,
): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(letter))
  const told = { timeout: PUBLISH_MS, expect: { streamName: DEAD_LETTERS_STREAM } }
  const msgID = createHash('sha256').update(bytes).digest('base64url')
  const partBytes = partBytesOf(bytes.length, connection.info?.max_payload ?? 0)
  if (partBytes === undefined) return void (await js.publish(subject, bytes, { msgID, ...told }))
  const place = placeOf(subject, partBytes)
  await publishPieces(js, place, partBytes, bytes, PUBLISH_MS)
  const fields = headers()
  fields.set(PARTS_HEADER, writePartsNote({ frame: 'letter', bytes: bytes.length, partBytes }))
  await js.publish(subject, new Uint8Array(0), { msgID, headers: fields, ...told })
}

const placeOf = (subject: string, partBytes: number): PiecesPlace => ({
  stream: DEAD_LETTERS_STREAM,
  subject: (n) => deadLetterPart(subject, partBytes, n),
})

async function piecesOf(
  manager: JetStreamManager,
  subject: string,
  text: string,
): Promise<Uint8Array | undefined> {
  const note = readPartsNote(text, LETTER_BYTES_MAX)
  if (note === undefined) return undefined
  return readPieces(manager, placeOf(subject, note.partBytes), note)
}

/** Up to the last one that is there, as the server says with each of them. */
async function* messagesOf(js: JetStreamClient, filter: string): AsyncGenerator<JsMsg> {
  const consumer = await js.consumers.get(DEAD_LETTERS_STREAM, { filter_subjects: [filter] })
  try {
    let left = (await consumer.info(true)).num_pending
    while (left > 0) {
      // Those that are announced may be taken out before they come: an answer without any is the end.
      left = 0
      const fetched = await consumer.fetch({ max_messages: READ_TOGETHER, expires: FETCH_MS })
      for await (const message of fetched) {
        left = message.info.pending
        yield message
        if (left === 0) break
      }
    }
  } finally {
    await consumer.delete().catch(() => undefined)
  }
}
