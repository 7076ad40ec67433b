// One lane of a writer's feed as it reads from disk: at most one read at a time and one frame in hand.
import type { FrameReader } from '../../runtime/wal/read.js'

export interface DiskFrame {
  readonly seq: number
  readonly encoded: Uint8Array
  readonly rawBytes: number
  readonly records: number
}

export interface LaneEvents {
  /** Seqs [fromSeq, toSeq) can't be read any more; `records` is what is known of them. */
  lost(fromSeq: number, toSeq: number, records: number | undefined): void
  /** The frame covers positions only. */
  empty(seq: number): void
  /** A read ended: look again. */
  ready(): void
  /** A read failed for a reason that may pass. */
  failed(error: unknown): void
}

export interface Lane {
  /** The frame in hand if it is `seq`; else begins to read it (if idle) and returns undefined. */
  take(seq: number): DiskFrame | undefined
  /** The frame in hand was delivered. */
  drop(): void
  /** Not needed for now: closes the file, which may be a deleted segment that still takes up the disk. */
  rest(): void
  close(): Promise<void>
}

export function createLane(reader: FrameReader, events: LaneEvents): Lane {
  let inHand: DiskFrame | undefined
  let reading: Promise<void> | undefined
  let closed = false

  async function read(seq: number): Promise<void> {
    try {
      const result = await reader.read(seq)
      if (closed) return
      if (result.kind === 'lost') events.lost(result.fromSeq, result.toSeq, result.records)
      else if (result.header.count === 0) events.empty(seq)
      else {
        const { encoded, prefix, header } = result
        inHand = { seq, encoded, rawBytes: prefix.rawBytes, records: header.count }
      }
    } catch (error) {
      if (!closed) events.failed(error)
    }
  }

  return {
    take(seq) {
      if (inHand?.seq === seq) return inHand
      if (reading !== undefined || closed) return undefined
      inHand = undefined
      reading = read(seq).finally(() => {
        reading = undefined
        if (!closed) events.ready()
      })
      return undefined
    },
    drop: () => void (inHand = undefined),
    rest() {
      if (reading === undefined && !closed) reader.close().catch((error: unknown) => events.failed(error))
    },
    async close() {
      closed = true
      await reading
      await reader.close()
    },
  }
}
