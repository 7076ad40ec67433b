// The raw WASM exports of the codecs: snappy, crc32c, the frame check, the Elasticsearch bulk body and Loki entries. Pointers are byte addresses.

/** All results are i32 as WASM gives them: unsigned ones (crc32c) need `>>> 0`, which the wrappers beside this file do. */
export interface KernelCodecExports {
  /** Bytes that snappyCompress may write for `len` input bytes, over-writing of vector stores included. */
  snappyMaxLen(len: number): number
  /** Bytes of scratch memory that snappyCompress needs at `tablePtr` (2-byte aligned). */
  snappyTableBytes(): number
  /** Block format. Reads up to 64 bytes past the input's end (any value). Returns the output's length. */
  snappyCompress(inPtr: number, len: number, outPtr: number, tablePtr: number): number
  /** Writes the block's head for `len` input bytes; returns the address after it. */
  snappyBegin(len: number, outPtr: number): number
  /** Compresses one part of the input behind the ones before; returns the address after it. */
  snappyPart(inPtr: number, len: number, outPtr: number, tablePtr: number): number
  /** Strict: -1 for anything malformed or longer than `outMax`. Reads and writes nothing outside input and output. */
  snappyDecompress(inPtr: number, len: number, outPtr: number, outMax: number): number
  /** Castagnoli CRC, reflected, initial and final inversion inside; `seed` 0 or the crc of the bytes before. */
  crc32c(ptr: number, len: number, seed: number): number
  /** 1 when every index entry lies inside the NDJSON, ends at a newline and names one of `streams`, else 0. */
  frameCheck(rawPtr: number, ndjsonBytes: number, indexPtr: number, count: number, streams: number): number
  /** Appends records [from, to) as bulk create items; returns the first record that was not written. */
  bulkAppend(
    rawPtr: number,
    indexPtr: number,
    from: number,
    to: number,
    actionPtr: number,
    actionLen: number,
    tailPtr: number,
    tailLen: number,
    outPtr: number,
    outLimit: number,
  ): number
  /** Address after the last byte that bulkAppend wrote. */
  bulkOut(): number
  /** Fills order (count u32) and starts (streams + 1 u32): record numbers by stream, by time inside a stream. */
  lokiGroup(indexPtr: number, count: number, streams: number, orderPtr: number, startsPtr: number): void
  /** Appends the entries order[from, to) as field 2 of a StreamAdapter; returns the first position not written. */
  lokiEntries(
    rawPtr: number,
    indexPtr: number,
    orderPtr: number,
    from: number,
    to: number,
    metaPtr: number,
    metaLen: number,
    ridPtr: number,
    ridLen: number,
    outPtr: number,
    outLimit: number,
  ): number
  /** The same inside one whole StreamAdapter (field 1 of a PushRequest) that begins with `labels`. */
  lokiStream(
    rawPtr: number,
    indexPtr: number,
    orderPtr: number,
    from: number,
    to: number,
    labelsPtr: number,
    labelsLen: number,
    metaPtr: number,
    metaLen: number,
    ridPtr: number,
    ridLen: number,
    outPtr: number,
    outLimit: number,
  ): number
  /** Address after the last byte that lokiEntries or lokiStream wrote. */
  lokiOut(): number
}

/** What the codec wrappers need of a kernel; `Kernel` of kernel.ts is one. */
export interface CodecKernel {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly view: DataView
  readonly fn: KernelCodecExports
  alloc(bytes: number, align?: number): number
}
