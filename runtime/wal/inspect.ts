// What a journal folder holds, as plain data: segments, streams, positions, and how far each backend is. Read only.
import type { StreamFields } from '../../protocol/frame.js'
import { loadCursors } from './cursor.js'
import { acknowledgedEnd } from './missing.js'
import type { CorruptPlace } from './observer.js'
import { createSeqSet, type SeqRange } from './seq-set.js'
import { walkFolder, type WalkedFrame, type WalkOptions } from './walk.js'

export interface InspectedFrame {
  readonly seq: number
  readonly id: string
  readonly segment: string
  readonly offset: number
  readonly bytes: number
  readonly records: number
  readonly made: string
}

export interface InspectedStream {
  readonly fields: StreamFields
  /** Frames in which it appears. */
  readonly frames: number
}

export interface InspectedCursor {
  readonly backend: string
  readonly corrupt: boolean
  /** One past the newest acknowledged frame. */
  readonly end: number
  readonly lagFrames: number
  readonly lagRecords: number
  readonly done: readonly SeqRange[]
}

export interface Inspection {
  readonly folder: string
  /** The node that runs on it. */
  readonly runningPid?: number
  readonly segments: readonly {
    readonly name: string
    readonly firstSeq: number
    readonly endSeq: number
    readonly frames: number
    readonly records: number
    readonly bytes: number
  }[]
  readonly frames: number
  readonly records: number
  readonly bytes: number
  readonly tailSeq: number
  /** By number of frames; at most STREAMS_MAX. */
  readonly streams: readonly InspectedStream[]
  readonly positions: readonly {
    readonly source: string
    readonly path: string
    readonly offset: number
    readonly done: boolean
    readonly carryBytes: number
  }[]
  readonly cursors: readonly InspectedCursor[]
  readonly places: readonly CorruptPlace[]
  readonly list?: readonly InspectedFrame[]
}

/** More streams than this are not told apart. */
const STREAMS_MAX = 16_384

/** The end of the last segment of a running node may be a frame that is just being written: it is left out. */
export async function inspectFolder(
  options: WalkOptions & { readonly withFrames: boolean; readonly runningPid: number | undefined },
): Promise<Inspection> {
  const { folder, files, withFrames, runningPid } = options
  const loaded = await loadCursors(files, folder)
  const cursors = loaded.map((cursor) => ({
    ...cursor,
    set: createSeqSet(cursor.done),
    records: 0,
  }))
  const streams = new Map<string, { fields: StreamFields; frames: number }>()
  const list: InspectedFrame[] = []
  const walked = await walkFolder({
    ...options,
    acknowledged: acknowledgedEnd(loaded),
    frame(found) {
      countStreams(streams, found)
      for (const cursor of cursors) if (!cursor.set.has(found.seq)) cursor.records += found.header.count
      if (withFrames) list.push(inspectedFrame(found))
    },
  })
  const { segments } = walked
  const tailSeq = segments.at(-1)?.endSeq ?? 0
  const sum = (of: (segment: (typeof segments)[number]) => number) =>
    segments.reduce((total, segment) => total + of(segment), 0)
  const beingWritten = (place: CorruptPlace) => runningPid !== undefined && place.kind === 'torn_tail'
  return {
    folder,
    ...(runningPid === undefined ? {} : { runningPid }),
    segments: segments.map(({ name, firstSeq, endSeq, frames, records, bytes }) => ({
      name,
      firstSeq,
      endSeq,
      frames,
      records,
      bytes,
    })),
    frames: sum(({ frames }) => frames),
    records: sum(({ records }) => records),
    bytes: sum(({ bytes }) => bytes),
    tailSeq,
    streams: [...streams.values()].sort((a, b) => b.frames - a.frames),
    positions: walked.positions.all().map(({ source, path, offset, done, carry }) => {
      const carryBytes = (carry ?? []).reduce((total, { bytes }) => total + bytes.length, 0)
      return { source, path, offset, done: done === true, carryBytes }
    }),
    cursors: cursors.map(({ backend, corrupt, done, set, records }) => {
      const lagFrames = set.missing(segments[0]?.firstSeq ?? tailSeq, tailSeq)
      return { backend, corrupt, end: set.end(), lagFrames, lagRecords: records, done }
    }),
    places: segments.flatMap(({ places }) => places).filter((place) => !beingWritten(place)),
    ...(withFrames ? { list } : {}),
  }
}

function countStreams(
  streams: Map<string, { fields: StreamFields; frames: number }>,
  { header }: WalkedFrame,
): void {
  for (const fields of header.streams) {
    const key = JSON.stringify(fields)
    const known = streams.get(key)
    if (known !== undefined) known.frames++
    else if (streams.size < STREAMS_MAX) streams.set(key, { fields, frames: 1 })
  }
}

function inspectedFrame({ seq, segment, offset, bytes, header }: WalkedFrame): InspectedFrame {
  return {
    seq,
    id: header.id,
    segment,
    offset,
    bytes,
    records: header.count,
    made: new Date(header.madeMs).toISOString(),
  }
}
