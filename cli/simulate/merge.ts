// Merges the pieces of many files into the order in which they came; a file is opened when its time has come.
import type { InputFile } from './input.js'
import type { Piece } from './pieces.js'

/** `closed`: the file has no more. */
export type Merged = Piece | { readonly closed: InputFile }

/** Of more files that overlap in time, those that begin later wait, and their lines come late. */
export const OPEN_FILES_MAX = 256

interface Open {
  readonly file: InputFile
  readonly pieces: AsyncGenerator<Piece>
  piece: Piece
}

/** `startMs` says when a file begins that says no time. */
export async function* merge(
  files: readonly InputFile[],
  startMs: (file: InputFile) => number,
  open: (file: InputFile) => AsyncGenerator<Piece>,
): AsyncGenerator<Merged> {
  const waiting = files.toSorted((a, b) => startMs(a) - startMs(b) || (a.path < b.path ? -1 : 1))
  const heap: Open[] = []
  let next = 0
  try {
    for (;;) {
      for (
        let file = waiting[next];
        file !== undefined &&
        heap.length < OPEN_FILES_MAX &&
        startMs(file) < (heap[0]?.piece.secondMs ?? Number.POSITIVE_INFINITY) + 1000;
        file = waiting[++next]
      ) {
        const pieces = open(file)
        const first = await pieces.next()
        if (first.done !== true) push(heap, { file, pieces, piece: first.value })
        else yield { closed: file }
      }
      const first = heap[0]
      if (first === undefined) {
        if (next >= waiting.length) return
        continue
      }
      yield first.piece
      const following = await first.pieces.next()
      if (following.done === true) {
        yield { closed: first.file }
        removeFirst(heap)
      } else {
        first.piece = following.value
        sink(heap)
      }
    }
  } finally {
    for (const { pieces } of heap) await pieces.return(undefined)
  }
}

const timeAt = (heap: readonly Open[], at: number): number =>
  heap[at]?.piece.secondMs ?? Number.POSITIVE_INFINITY

function swap(heap: Open[], a: number, b: number): void {
  const one = heap[a] as Open
  heap[a] = heap[b] as Open
  heap[b] = one
}

function push(heap: Open[], entry: Open): void {
  heap.push(entry)
  for (let at = heap.length - 1; at > 0; ) {
    const parent = (at - 1) >> 1
    if (timeAt(heap, parent) <= timeAt(heap, at)) return
    swap(heap, at, parent)
    at = parent
  }
}

function removeFirst(heap: Open[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  heap[0] = last
  sink(heap)
}

function sink(heap: Open[]): void {
  for (let at = 0; ; ) {
    const left = 2 * at + 1
    const least = timeAt(heap, left + 1) < timeAt(heap, left) ? left + 1 : left
    if (timeAt(heap, at) <= timeAt(heap, least)) return
    swap(heap, at, least)
    at = least
  }
}
