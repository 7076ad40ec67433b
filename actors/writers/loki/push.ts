// PushRequest bodies: put together from a lane's chunks, and taken apart again into entries when a push has to be divided.
import type { Kernel } from '../../../kernel/kernel.js'
import type { KernelPart } from '../../../kernel/snappy.js'
import type { Chunk } from './lanes.js'

/** One entry of a push that was taken apart. */
export interface Entry {
  /** Label text of its stream. */
  readonly labels: string
  readonly tsMs: number
  /** Field 2 of a StreamAdapter, tag and length included; a view. */
  readonly bytes: Buffer
  readonly frame: string
  readonly n: number
  readonly line: string
}

// Field tags of logproto (grafana/loki pkg/push/push.proto): all length-delimited but Timestamp's two.
const STREAM = 0x0a
const LABELS = 0x0a
const ENTRY = 0x12
const TIMESTAMP = 0x0a
const LINE = 0x12
const METADATA = 0x1a
const SECONDS = 0x08
const NANOS = 0x10
const NAME = 0x0a
const VALUE = 0x12

export function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = value
  for (; rest >= 128; rest >>>= 7) into[at++] = (rest & 127) | 128
  into[at++] = rest
  return at
}

/** Runs of entries below this are copied together: a part of its own compresses worse. */
const RUN_BYTES_MIN = 32 * 1024

/**
 * Lays out a PushRequest of streams side by side, as parts in kernel memory: heads and short runs of entries at `scratch`, long runs where
 * they lie. Each group is one label set's chunks.
 */
export function layOut(
  kernel: Pick<Kernel, 'u8'>,
  groups: readonly (readonly Chunk[])[],
  scratch: number,
): KernelPart[] {
  const { u8 } = kernel
  const parts: KernelPart[] = []
  let from = scratch
  let at = scratch
  function closePart(): void {
    if (at > from) parts.push({ ptr: from, bytes: at - from })
    from = at
  }
  for (const group of groups) {
    const [first] = group
    if (first === undefined) continue
    const { labels } = first.track
    const entryBytes = group.reduce((sum, chunk) => sum + chunk.bytes, 0)
    u8[at++] = STREAM
    at = writeVarint(u8, at, 1 + varintBytes(labels.length) + labels.length + entryBytes)
    u8[at++] = LABELS
    at = writeVarint(u8, at, labels.length)
    u8.set(labels, at)
    at += labels.length
    for (const run of runsOf(group)) {
      if (run.bytes < RUN_BYTES_MIN) {
        u8.copyWithin(at, run.ptr, run.ptr + run.bytes)
        at += run.bytes
      } else {
        closePart()
        parts.push(run)
      }
    }
  }
  closePart()
  return parts
}

/** Chunks that follow each other in memory as well become one run. */
function runsOf(group: readonly Chunk[]): KernelPart[] {
  const runs: { ptr: number; bytes: number }[] = []
  for (const { ptr, bytes } of group) {
    const last = runs.at(-1)
    if (last !== undefined && last.ptr + last.bytes === ptr) last.bytes += bytes
    else runs.push({ ptr, bytes })
  }
  return runs
}

/** The same for entries that were taken apart; entries of one label set must lie together. */
export function assembleEntries(entries: readonly Entry[]): Buffer {
  const pieces: Uint8Array[] = []
  for (let from = 0; from < entries.length; ) {
    const text = (entries[from] as Entry).labels
    let to = from
    let entryBytes = 0
    for (; to < entries.length && entries[to]?.labels === text; to++)
      entryBytes += (entries[to] as Entry).bytes.length
    const labels = Buffer.from(text)
    const head = new Uint8Array(24)
    head[0] = STREAM
    let at = writeVarint(head, 1, 1 + varintBytes(labels.length) + labels.length + entryBytes)
    head[at++] = LABELS
    at = writeVarint(head, at, labels.length)
    pieces.push(head.subarray(0, at), labels)
    for (let n = from; n < to; n++) pieces.push((entries[n] as Entry).bytes)
    from = to
  }
  return Buffer.concat(pieces)
}

interface Field {
  readonly tag: number
  readonly from: number
  readonly to: number
  readonly value: number
  /** Where the field itself begins. */
  readonly at: number
}

/** Fields of a message; varints carry their value (numbers up to 2^53), others their range. */
function* fieldsOf(bytes: Buffer, from: number, to: number): Generator<Field> {
  let at = from
  function varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < to) {
    const begin = at
    const tag = varint()
    const value = varint()
    const isBytes = (tag & 7) === 2
    const end = isBytes ? at + value : at
    yield { tag, from: at, to: end, value, at: begin }
    at = end
  }
}

/** All entries of a push in their order. The bytes are this writer's own: they are well formed. */
export function takeApart(push: Buffer): Entry[] {
  const entries: Entry[] = []
  for (const stream of fieldsOf(push, 0, push.length)) {
    let labels = ''
    for (const field of fieldsOf(push, stream.from, stream.to)) {
      if (field.tag === LABELS) labels = push.toString('utf8', field.from, field.to)
      else if (field.tag === ENTRY) entries.push(readEntry(push, field, labels))
    }
  }
  return entries
}

function readEntry(push: Buffer, entry: Field, labels: string): Entry {
  let tsMs = 0
  let line = ''
  let rid = ''
  for (const field of fieldsOf(push, entry.from, entry.to)) {
    if (field.tag === TIMESTAMP) tsMs = readTime(push, field)
    else if (field.tag === LINE) line = push.toString('utf8', field.from, field.to)
    else if (field.tag === METADATA) rid = readPair(push, field, 'rid') ?? rid
  }
  const dash = rid.lastIndexOf('-')
  const bytes = push.subarray(entry.at, entry.to)
  return { labels, tsMs, line, bytes, frame: rid.slice(0, dash), n: Number(rid.slice(dash + 1)) }
}

function readTime(push: Buffer, time: Field): number {
  let ms = 0
  for (const field of fieldsOf(push, time.from, time.to)) {
    if (field.tag === SECONDS) ms += field.value * 1000
    else if (field.tag === NANOS) ms += field.value / 1e6
  }
  return ms
}

function readPair(push: Buffer, pair: Field, wanted: string): string | undefined {
  let name = ''
  let value = ''
  for (const field of fieldsOf(push, pair.from, pair.to)) {
    if (field.tag === NAME) name = push.toString('utf8', field.from, field.to)
    else if (field.tag === VALUE) value = push.toString('utf8', field.from, field.to)
  }
  return name === wanted ? value : undefined
}
