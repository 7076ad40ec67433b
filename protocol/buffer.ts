// What a message of the log stream says beside the frame in it, and the journal's cursor of what JetStream has.

/** The journal's "backend" when frames go to JetStream; no backend can have this name. */
export const JETSTREAM_CURSOR = '@jetstream'
/** The frame may have been published before: its writer asks a backend that would keep copies what it has. */
export const AGAIN_HEADER = 'Millrace-Again'
/** The life of the server that took the message: its id is new at each start. */
export const SERVER_HEADER = 'Millrace-Server'
/** The frame lies in pieces of so many bytes in the stream of parts; the message itself is empty. `<frame id> <bytes> <bytes of a part>` */
export const PARTS_HEADER = 'Millrace-Parts'

/** What a frame's id may be where a message says it: it becomes part of subjects and of record ids. */
export const FRAME_ID = /^[A-Za-z0-9_-]{1,64}$/

export interface PartsNote {
  readonly frame: string
  readonly bytes: number
  readonly partBytes: number
}

export const writePartsNote = ({ frame, bytes, partBytes }: PartsNote) => `${frame} ${bytes} ${partBytes}`

/** Undefined: not such a note. `bytesMax` bounds what a stranger can make a writer allocate. */
export function readPartsNote(text: string, bytesMax: number): PartsNote | undefined {
  const match = /^([A-Za-z0-9_-]{1,64}) (\d{1,9}) (\d{1,9})$/.exec(text)
  if (match === null) return undefined
  const note = { frame: match[1] as string, bytes: Number(match[2]), partBytes: Number(match[3]) }
  return note.bytes > 0 && note.bytes <= bytesMax && note.partBytes >= 1024 ? note : undefined
}
