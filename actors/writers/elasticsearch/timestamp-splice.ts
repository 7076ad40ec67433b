// The bulk encoder for data streams: like the kernel's, but every document also gets the `@timestamp` that a data stream demands.
import type { BulkCodec, KernelFrame } from '../../../kernel/codec.js'
import type { Kernel } from '../../../kernel/kernel.js'
import { INDEX_ENTRY_BYTES } from '../../../protocol/frame.js'

const encoder = new TextEncoder()
/** Every canonical record begins so. */
const BEFORE = encoder.encode('{"timestamp":"')
const MEMBER = encoder.encode(',"@timestamp":"')
const ACTION_END = encoder.encode('"}}\n')
const QUOTE = 0x22
const NEWLINE = 0x0a
/** Longest timestamp text, quote included, and digits of a record's number. */
const REST_BYTES = 64

/**
 * An alias, copy_to or an ingest pipeline would save these bytes, but aliases are refused for `@timestamp`, and the others change what
 * the server must be configured for; a member in the document works everywhere. In plain JavaScript: data streams are the option.
 */
export function createTimestampSplice(kernel: Pick<Kernel, 'u8' | 'u32'>): BulkCodec {
  const { u8, u32 } = kernel
  let frame: KernelFrame = { rawPtr: 0, indexPtr: 0, count: 0 }
  let action: Uint8Array = new Uint8Array(0)
  let tail: Uint8Array = new Uint8Array(0)
  let at = 0

  const bytesOf = (text: string | Uint8Array): Uint8Array =>
    typeof text === 'string' ? encoder.encode(text) : text
  function put(bytes: Uint8Array): void {
    u8.set(bytes, at)
    at += bytes.length
  }
  function move(from: number, to: number): void {
    u8.copyWithin(at, from, to)
    at += to - from
  }

  function item(n: number, start: number, end: number): void {
    put(action)
    put(encoder.encode(String(n)))
    put(ACTION_END)
    move(start, end - 1)
    const from = start + BEFORE.length
    put(MEMBER)
    move(from, u8.indexOf(QUOTE, from))
    u8[at++] = QUOTE
    put(tail)
    u8[at++] = NEWLINE
  }

  return {
    begin(nextFrame, nextAction, nextTail) {
      frame = nextFrame
      action = bytesOf(nextAction)
      tail = bytesOf(nextTail)
    },
    append(from, to, outPtr, outLimit) {
      at = outPtr
      const end = Math.min(to, frame.count)
      for (let n = from; n < end; n++) {
        const entry = (frame.indexPtr + n * INDEX_ENTRY_BYTES) >>> 2
        const start = frame.rawPtr + (u32[entry + 2] ?? 0)
        const length = u32[entry + 3] ?? 0
        if (at + action.length + length + tail.length + MEMBER.length + REST_BYTES > outLimit) return n
        item(n, start, start + length)
      }
      return end
    },
    out: () => at,
  }
}
