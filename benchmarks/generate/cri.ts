// How the container runtime stores a record: a time, a stream and a tag before it, and long ones in pieces.
import type { GeneratedLine } from './lines.js'

/** containerd splits longer lines. */
export const PIECE_BYTES = 16 * 1024

/** One record as the runtime writes it: lines over 16 KiB in pieces. */
export function criLines(
  { content, stderr }: Pick<GeneratedLine, 'content' | 'stderr'>,
  stamp: string,
): Buffer {
  const stream = stderr ? 'stderr' : 'stdout'
  const parts: Buffer[] = []
  for (let at = 0; at === 0 || at < content.length; at += PIECE_BYTES) {
    const last = at + PIECE_BYTES >= content.length
    parts.push(
      Buffer.from(`${stamp} ${stream} ${last ? 'F' : 'P'} `),
      content.subarray(at, at + PIECE_BYTES),
      Buffer.from('\n'),
    )
  }
  return Buffer.concat(parts)
}
