// Collects a thread's heap when it has grown: V8 leaves a heap with little traffic alone for an hour.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from './clock.js'

export interface Heap {
  /** Of all generations but the young one, which is collected soon enough. */
  usedBytes(): number
  collect(): void
}

const LOOK_EVERY_MS = 30_000
/** A collection takes 5 to 15 ms of a heap of 10 MB, so growth by less is left alone. */
const GROWTH_BYTES = 4 * 1024 * 1024
const YOUNG = new Set(['new_space', 'new_large_object_space'])

/**
 * What outlives the young generation and then dies is a megabyte in some minutes here, and V8 collects a heap when it has come to up to four
 * times of what was left: four threads held 60 MB of it. Returns what ends the watch.
 */
export function watchHeap(clock: Clock, heap: Heap = v8Heap()): () => void {
  let leastBytes = heap.usedBytes()
  return clock.every(LOOK_EVERY_MS, () => {
    const usedBytes = heap.usedBytes()
    leastBytes = Math.min(leastBytes, usedBytes)
    if (usedBytes - leastBytes < GROWTH_BYTES) return
    heap.collect()
    leastBytes = heap.usedBytes()
  })
}

function v8Heap(): Heap {
  let collect: (() => void) | undefined
  return {
    usedBytes: () =>
      getHeapSpaceStatistics().reduce(
        (sum, { space_name, space_used_size }) => sum + (YOUNG.has(space_name) ? 0 : space_used_size),
        0,
      ),
    collect() {
      collect ??= exposeCollect()
      collect?.()
    },
  }
}

/** Only a context that is made under the flag has the function; another thread may take the flag back meanwhile: then at the next time. */
function exposeCollect(): (() => void) | undefined {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  return typeof collect === 'function' ? () => void collect() : undefined
}
