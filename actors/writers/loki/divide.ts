// Divides a push that was refused: halves to find a poison entry, entries outside a time, late entries to another label set.
import type { Refused } from '../writer.js'
import { addPart } from '../writer.js'
import type { PushBatch } from './encoder.js'
import { assembleEntries, type Entry, takeApart } from './push.js'

export interface Compressor {
  compress(raw: Uint8Array): Uint8Array
  decompress(block: Uint8Array): Uint8Array
}

export interface Divider {
  entriesOf(batch: PushBatch): readonly Entry[]
  /**
   * A push of these entries, in memory of its own. Byte-identical entries, so that what was stored already is a duplicate; in a
   * sharded stream it may not be one, so they are in doubt.
   */
  batchOf(entries: readonly Entry[], from: PushBatch): PushBatch
  /** The same of entries that are known not to be at Loki. */
  restOf(entries: readonly Entry[], from: PushBatch): PushBatch
  /** Two pushes; between streams if there are several, so that a refusal can be told to one stream soonest. */
  halves(entries: readonly Entry[], from: PushBatch): readonly PushBatch[]
  refused(entries: readonly Entry[], from: PushBatch, reason: string, detail: string): Refused[]
}

export function createDivider(codec: Compressor): Divider {
  function restOf(entries: readonly Entry[], from: PushBatch): PushBatch {
    const raw = assembleEntries(entries)
    const body = Buffer.from(codec.compress(raw))
    const parts: { seq: number; records: number }[] = []
    const frames = new Map<string, number>()
    for (const { frame } of entries) {
      const seq = from.frames.get(frame) ?? -1
      addPart(parts, seq, 1)
      frames.set(frame, seq)
    }
    const { lane } = from
    const sizes = { bytes: body.length, rawBytes: raw.length, records: entries.length }
    return { lane, body, ...sizes, parts, frames, unsure: new Set() }
  }

  function batchOf(entries: readonly Entry[], from: PushBatch): PushBatch {
    const batch = restOf(entries, from)
    for (const frame of batch.frames.keys()) batch.unsure.add(frame)
    return batch
  }

  return {
    entriesOf(batch) {
      return takeApartCopy(codec.decompress(batch.body))
    },
    batchOf,
    restOf,
    halves(entries, from) {
      const middle = middleOf(entries)
      return [batchOf(entries.slice(0, middle), from), batchOf(entries.slice(middle), from)]
    },
    refused: (entries, from, reason, detail) =>
      entries.map(({ frame, n, line }) => {
        return { seq: from.frames.get(frame) ?? -1, frame, n, reason, detail, record: line }
      }),
  }
}

/** The middle, moved to the nearest border between two streams where there is one. */
function middleOf(entries: readonly Entry[]): number {
  const half = entries.length >> 1
  if (entries[0]?.labels === entries.at(-1)?.labels) return half
  for (let away = 0; away < entries.length; away++) {
    for (const at of [half - away, half + away]) {
      if (at > 0 && at < entries.length && entries[at]?.labels !== entries[at - 1]?.labels) return at
    }
  }
  return half
}

export function isOneStream(entries: readonly Entry[]): boolean {
  return entries.every((entry) => entry.labels === entries[0]?.labels)
}

/** The entries keep views: of a copy, since the codec's memory is reused. */
function takeApartCopy(raw: Uint8Array): Entry[] {
  return takeApart(Buffer.from(raw))
}
