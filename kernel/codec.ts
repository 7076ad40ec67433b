// Encodes the records of a frame as Elasticsearch bulk items, inside kernel memory; Loki's encoder is re-exported from beside.
import { createKernelText, kernelTextBytes } from './codec-text.js'
import type { CodecKernel } from './exports-codec.js'

export { createLokiCodec, lokiCodecBytes } from './codec-loki.js'
export type { LokiCodec, LokiCodecOptions } from './codec-loki.js'
export { encodeMetadata } from './codec-metadata.js'

/** A frame's raw body in kernel memory. `indexPtr` = `rawPtr` + the NDJSON's bytes rounded up to 8. */
export interface KernelFrame {
  readonly rawPtr: number
  readonly indexPtr: number
  readonly count: number
}

export interface BulkCodec {
  /**
   * Sets the frame and what is the same for all its items. Item n is `<action><n>"}}`, newline, the record without its last brace,
   * `<tail>`, newline: so `action` is e.g. `{"create":{"_id":"<frame id>-` and `tail` `,"batch_id":"<frame id>"}`.
   */
  begin(frame: KernelFrame, action: string | Uint8Array, tail: string | Uint8Array): void
  /** Writes records [from, to) to `outPtr`; returns the first that did not fit below `outLimit`. May be called again and in any order. */
  append(from: number, to: number, outPtr: number, outLimit: number): number
  /** Address after the last byte that append wrote. */
  out(): number
}

const TEXT_BYTES_MAX = 4096
/** What an item has beside action, record and tail, and what append keeps free behind an item. */
const ITEM_REST_BYTES = 31

/** Kernel memory that createBulkCodec takes. */
export function bulkCodecBytes(textBytesMax: number = TEXT_BYTES_MAX): number {
  return 2 * kernelTextBytes(textBytesMax)
}

/** Room that surely holds all of a frame's items. */
export function bulkBytesMax(
  ndjsonBytes: number,
  count: number,
  actionBytes: number,
  tailBytes: number,
): number {
  return ndjsonBytes + count * (actionBytes + tailBytes + 16) + ITEM_REST_BYTES
}

export function createBulkCodec(kernel: CodecKernel, textBytesMax: number = TEXT_BYTES_MAX): BulkCodec {
  const { fn } = kernel
  const action = createKernelText(kernel, textBytesMax, 'bulk action')
  const tail = createKernelText(kernel, textBytesMax, 'bulk tail')
  let frame: KernelFrame = { rawPtr: 0, indexPtr: 0, count: 0 }
  return {
    begin(nextFrame, nextAction, nextTail) {
      frame = nextFrame
      action.set(nextAction)
      tail.set(nextTail)
    },
    append(from, to, outPtr, outLimit) {
      const { rawPtr, indexPtr, count } = frame
      const end = Math.min(to, count)
      return fn.bulkAppend(
        rawPtr,
        indexPtr,
        Math.min(from, end),
        end,
        action.ptr,
        action.length(),
        tail.ptr,
        tail.length(),
        outPtr,
        outLimit,
      )
    },
    out: () => fn.bulkOut(),
  }
}
