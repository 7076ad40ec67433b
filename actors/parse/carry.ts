// Records that are not complete yet: pieces of a partial CRI line, lines of an open group. Immutable; bytes are shared, not copied.
import type { Carry, OpenCarry } from '../../protocol/positions.js'

export type Carries = readonly OpenCarry[]
export const NO_CARRY: Carries = []

export function findCarry(
  carries: Carries,
  stream: OpenCarry['stream'],
  kind: OpenCarry['kind'],
): OpenCarry | undefined {
  return carries.find((carry) => carry.stream === stream && carry.kind === kind)
}

export function withoutCarry(carries: Carries, carry: OpenCarry): Carries {
  return carries.length === 1 ? NO_CARRY : carries.filter((other) => other !== carry)
}

/** The carry with more bytes, never more than `bytesMax`; what is over is dropped and marked. */
export function grow(carry: OpenCarry, bytes: Uint8Array, bytesMax: number): OpenCarry {
  const room = Math.max(0, bytesMax - carry.length)
  const kept = bytes.length > room ? bytes.subarray(0, room) : bytes
  return {
    ...carry,
    chunks: kept.length === 0 ? carry.chunks : [...carry.chunks, kept.slice()],
    length: carry.length + kept.length,
    lines: carry.lines + 1,
    truncated: carry.truncated || bytes.length > room,
  }
}

/** All bytes of a carry in one piece, as a frame's header holds them. */
export function closeCarry({ chunks, length, ...rest }: OpenCarry): Carry {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return { ...rest, bytes }
}

/** A carry recovered from the journal, ready to grow. */
export function openCarry({ bytes, ...rest }: Carry): OpenCarry {
  return { ...rest, chunks: [bytes], length: bytes.length }
}
