// Frames for tests: a kernel with a codec, headers, and sealing of test records.
import type { Kernel } from '../../kernel/kernel.js'
import { createKernel } from '../../kernel/kernel.js'
import type { FrameHeader, StreamFields } from '../../protocol/frame.js'
import type { FilePosition } from '../../protocol/positions.js'
import type { FrameCodec, FrameInput, SealTarget, SealedFrame } from '../../runtime/frame-codec.js'
import { createFrameCodec, frameCodecBytes } from '../../runtime/frame-codec.js'
import type { TestRecord } from '../kernel/codec-frame.js'
import { layFrame, STREAM_COUNT } from '../kernel/codec-frame.js'

export const RAW_BYTES_MAX = 256 * 1024
const OPTIONS = { rawBytesMax: RAW_BYTES_MAX, headerBytesMax: 64 * 1024 }

export interface TestBench {
  readonly kernel: Kernel
  readonly codec: FrameCodec
  readonly framePtr: number
  input(records: readonly TestRecord[], positions?: readonly FilePosition[]): FrameInput
  seal(records: readonly TestRecord[], target?: SealTarget): SealedFrame
}

const stream = (n: number): StreamFields => ({
  service_name: `service-${n}`,
  namespace: 'shop',
  cluster_id: 'prod-us-east',
  log_level: 'INFO',
  log_type: 'app',
})

export function headerOf(
  count: number,
  positions: readonly FilePosition[] = [],
): Omit<FrameHeader, 'v' | 'codec' | 'ndjsonBytes'> {
  return {
    id: 'V1StGXR8_Z5jdHi6B-myT',
    node: 'node-1',
    madeMs: 1_790_000_000_123,
    count,
    streams: Array.from({ length: STREAM_COUNT }, (_, n) => stream(n)),
    positions,
    minTsMs: 1_790_000_000_000,
    maxTsMs: 1_790_000_000_059,
  }
}

export function position(carryBytes: number): FilePosition {
  const bytes = Uint8Array.from({ length: carryBytes }, (_, n) => n % 251)
  return {
    kind: 'file',
    source: 'pods',
    key: '1:2:abc',
    path: '/var/log/pods/a/0.log',
    identity: { dev: 1, ino: 2, headBytes: 3, headHash: 'abc' },
    offset: 5_000_000_000,
    carry: [
      {
        stream: 'stdout',
        tsNs: '1790000000000000000',
        tsDigits: 9,
        lines: 1,
        bytes,
        truncated: false,
        kind: 'partial',
      },
    ],
  }
}

export function createBench(): TestBench {
  const kernel = createKernel({ memoryBytes: 6 * 1024 * 1024 + frameCodecBytes(OPTIONS) })
  const codec = createFrameCodec(kernel, OPTIONS)
  const framePtr = kernel.alloc(RAW_BYTES_MAX + 1024)
  function input(records: readonly TestRecord[], positions: readonly FilePosition[] = []): FrameInput {
    const { ndjsonBytes, indexPtr } = layFrame(kernel, framePtr, records)
    return { header: headerOf(records.length, positions), ndjsonPtr: framePtr, ndjsonBytes, indexPtr }
  }
  return {
    kernel,
    codec,
    framePtr,
    input,
    seal: (records, target) => codec.seal(input(records), target),
  }
}
