// The text that `millrace wal` prints: tables of an inspection, findings of a check.
import { basename } from 'node:path'
import type { Inspection } from '../runtime/wal/inspect.js'
import type { CorruptPlace } from '../runtime/wal/observer.js'
import type { Repaired } from '../runtime/wal/repair.js'
import { printable } from './text-table.js'

export interface FsckResult {
  readonly folder: string
  readonly segments: number
  readonly frames: number
  readonly places: readonly CorruptPlace[]
  /** Backends whose cursor is unreadable. */
  readonly corruptCursors: readonly string[]
  readonly repaired: readonly Repaired[]
}

const ROWS_MAX = 20

export function inspectionText(found: Inspection): string {
  const state =
    found.runningPid === undefined ? 'no node runs on it' : `in use by process ${found.runningPid}`
  const size = `${whole(found.frames)} frames, ${whole(found.records)} records, ${whole(found.bytes)} bytes`
  return [
    `journal ${found.folder} (${state}): ${size}, next seq ${found.tailSeq}`,
    '',
    ...table([
      ['segment', 'seqs', 'frames', 'records', 'bytes'],
      ...found.segments.map(({ name, firstSeq, endSeq, frames, records, bytes }) => [
        name,
        endSeq > firstSeq ? `${firstSeq}..${endSeq - 1}` : 'none',
        whole(frames),
        whole(records),
        whole(bytes),
      ]),
    ]),
    ...section('backend', cursorRows(found)),
    ...section('stream', streamRows(found)),
    ...section('file', positionRows(found)),
    ...section('frame', frameRows(found), Number.POSITIVE_INFINITY),
    ...(found.places.length === 0 ? [] : ['', ...found.places.map(placeText)]),
  ].join('\n')
}

const cursorRows = ({ cursors }: Inspection) => [
  ['backend', 'frames behind', 'records behind', 'acknowledged up to'],
  ...cursors.map(({ backend, corrupt, lagFrames, lagRecords, end }) => [
    backend,
    whole(lagFrames),
    whole(lagRecords),
    corrupt ? 'cursor unreadable: counts as nothing' : end === 0 ? 'nothing' : `seq ${end - 1}`,
  ]),
]

const streamRows = ({ streams }: Inspection) => [
  ['stream', 'frames'],
  ...streams.map(({ fields, frames }) => {
    const { namespace, service_name, log_level, log_type, pod_name } = fields
    return [[namespace, service_name, pod_name, log_level, log_type].filter(Boolean).join(' '), whole(frames)]
  }),
]

const positionRows = ({ positions }: Inspection) => [
  ['file', 'source', 'offset', 'open bytes', 'state'],
  ...positions.map(({ source, path, offset, carryBytes, done }) => [
    path,
    source,
    whole(offset),
    whole(carryBytes),
    done ? 'read to its end' : 'open',
  ]),
]

const frameRows = ({ list = [] }: Inspection) => [
  ['frame', 'id', 'made', 'records', 'bytes', 'segment', 'offset'],
  ...list.map(({ seq, id, made, records, bytes, segment, offset }) => [
    String(seq),
    id,
    made,
    whole(records),
    whole(bytes),
    segment,
    String(offset),
  ]),
]

/** A table behind an empty line; the rows after the first ROWS_MAX are only counted (all are in --json). */
function section(of: string, rows: readonly (readonly string[])[], rowsMax = ROWS_MAX): string[] {
  if (rows.length < 2) return []
  const more = rows.length - 1 - rowsMax
  const rest = more > 0 ? [`… and ${whole(more)} more ${of}s (--json shows all)`] : []
  return [
    '',
    ...table(rows.slice(0, rowsMax === Number.POSITIVE_INFINITY ? undefined : rowsMax + 1)),
    ...rest,
  ]
}

export function fsckText(result: FsckResult): string {
  const { folder, segments, frames, places, corruptCursors, repaired } = result
  const bad = places.length + corruptCursors.length
  const lost = places.reduce((sum, place) => sum + place.frames, 0)
  const verdict = bad === 0 ? 'sound' : `${whole(bad)} bad ${bad === 1 ? 'place' : 'places'}`
  return [
    ...places.map(placeText),
    ...corruptCursors.map(
      (backend) =>
        `${backend}.cursor: unreadable; ${backend} gets again what the journal holds, under the same ids`,
    ),
    ...repaired.map(({ path, did }) => `${basename(path)}: ${did}`),
    `journal ${folder}: ${whole(segments)} segments, ${whole(frames)} whole frames, ${lost > 0 ? `${whole(lost)} lost, ` : ''}${verdict}`,
  ].join('\n')
}

function placeText({ kind, path, offset, bytes, frames, records, id, fromSeq }: CorruptPlace): string {
  const where = `${basename(path)} at ${offset}`
  const first =
    id === undefined
      ? ''
      : `, the first is ${id}${records === undefined ? '' : ` with ${whole(records)} records`}`
  const seqs = fromSeq === undefined ? '' : `, ${seqText(fromSeq, frames)}`
  switch (kind) {
    case 'torn_tail':
      return `${where}: torn tail of ${whole(bytes)} bytes: never acknowledged, its lines are read again`
    case 'frame':
      return `${where}: ${whole(bytes)} unreadable bytes, ${whole(frames)} ${frames === 1 ? 'frame' : 'frames'} lost${first}${seqs}`
    case 'envelope':
      return `${where}: broken envelope of frame ${id ?? '?'}; the frame is whole`
    case 'segment_header':
      return `${where}: broken segment header; its frames are found by searching`
    case 'positions':
      return `${where}: broken positions snapshot; positions come from the segments before`
    case 'cursor':
      return `${where}: unreadable cursor`
    case 'missing':
      return frames === 0
        ? `${basename(path)}: no segment is there any more: every backend has all frames, but files are read again from where they begin`
        : `${where}: ${whole(frames)} ${frames === 1 ? 'frame is' : 'frames are'} missing${seqs}: the file is gone or cut, or left at journal.bytes_max`
  }
}

const seqText = (from: number, frames: number) =>
  frames === 1 ? `seq ${from}` : `seqs ${from} to ${from + frames - 1}`

const whole = (value: number) => value.toLocaleString('en-US')

/** The first column is left-aligned, the others right. */
function table(raw: readonly (readonly string[])[]): string[] {
  const rows = raw.map((cells) => cells.map(printable))
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((most, cells) => Math.max(most, (cells[column] ?? '').length), 0),
  )
  return rows.map((cells) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ')
      .trimEnd(),
  )
}
