// The memory that parse, enrich and sample share in their thread: one kernel with its scanner, frame codec and slab.
import { createKernel } from '../kernel/kernel.js'
import { createScanner, type InputRegion, type Scanner } from '../kernel/scanner.js'
import { SERVICE_SLOTS, windowsBytes } from '../kernel/scanner-fields.js'
import type { RecordsOptions } from '../protocol/config/node.js'
import type { ActorContext } from '../runtime/actor.js'
import { createFrameCodec, frameCodecBytes, type FrameCodec } from '../runtime/frame-codec.js'
import { SLAB_BYTES } from './sources/slab.js'

/** Records of one frame at most; with 32 bytes of index each. */
const FRAME_RECORDS_MAX = 16_384
/** An escaped character takes up to six bytes; a record's own fields come on top. */
const ESCAPE_GROWTH = 6
const RECORD_FIELDS_BYTES = 16 * 1024
/** A slab of ordinary records is one scan, one batch and one emission. */
const RECORDS_PER_SCAN = 2048
const CONTEXTS_MAX = 12_000
const CONTEXT_BYTES = 4096
const MODULE_BYTES = 6 * 1024 * 1024
const HEADER_BYTES_MAX = 1024 * 1024

export interface IngestMemory {
  readonly scanner: Scanner
  readonly codec: FrameCodec
  /** Joined and rewritten records lie here until their batch is emitted. */
  readonly scratch: InputRegion
  readonly frameBytesMax: number
}

/**
 * Bytes that a frame's NDJSON may take: one record of the greatest growth beyond the target, so that emit never lacks room; and small
 * frames can grow to the size of usual ones while slots are short.
 */
function frameRegionBytes(records: RecordsOptions): number {
  const grown = records.frame_bytes + ESCAPE_GROWTH * records.line_bytes_max + RECORD_FIELDS_BYTES
  return Math.max(grown, 2 * SLAB_BYTES)
}

/** The largest raw body of a frame: NDJSON, padding and index. */
export function frameRawBytes(records: RecordsOptions): number {
  return frameRegionBytes(records) + FRAME_RECORDS_MAX * 32 + 64
}

/** Bytes of a slab: what a source reads at once, and room for one longest line. */
export function slabBytes(records: RecordsOptions): number {
  return SLAB_BYTES + records.line_bytes_max
}

/** Made once per thread, on first use. */
export function ingestMemory(context: ActorContext, records: RecordsOptions): IngestMemory {
  return context.local('ingest-memory', () => {
    const frameBytes = frameRegionBytes(records)
    const scratchBytes = 2 * records.line_bytes_max + ESCAPE_GROWTH * records.line_bytes_max
    const codecOptions = {
      rawBytesMax: frameRawBytes(records),
      headerBytesMax: HEADER_BYTES_MAX,
    }
    const memoryBytes =
      MODULE_BYTES +
      slabBytes(records) +
      scratchBytes +
      2 * frameBytes +
      FRAME_RECORDS_MAX * 32 +
      RECORDS_PER_SCAN * (192 + 16 * 8) +
      CONTEXTS_MAX * CONTEXT_BYTES +
      windowsBytes(SERVICE_SLOTS) +
      frameCodecBytes(codecOptions) +
      1024 * 1024
    const kernel = createKernel({ memoryBytes })
    const scanner = createScanner(kernel, {
      inputBytes: slabBytes(records),
      recordsMax: RECORDS_PER_SCAN,
      contexts: CONTEXTS_MAX,
      frameBytes,
      frameRecordsMax: FRAME_RECORDS_MAX,
      seed: BigInt(Math.floor(context.random() * 2 ** 52)),
    })
    const codec = createFrameCodec(kernel, codecOptions)
    const scratch = scanner.allocInput(scratchBytes)
    return { scanner, codec, scratch, frameBytesMax: frameBytes }
  })
}

/** Where a source in this thread reads to: kernel memory, so that nothing is copied before the scan. */
export function slabMemory(context: ActorContext, records: RecordsOptions): Uint8Array {
  return ingestMemory(context, records).scanner.input
}
