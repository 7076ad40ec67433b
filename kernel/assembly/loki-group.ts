// Records by Loki stream: a stable counting sort of the record numbers, then by time inside each stream.

const ENTRY_BYTES: usize = 32

/**
 * Fills `orderPtr` (count u32) with the record numbers by stream, by tsNs inside a stream (equal times in record order), and
 * `startsPtr` (streams + 1 u32) with each stream's first position. Every entry's stream must be below `streams` (frameCheck).
 */
export function lokiGroup(
  indexPtr: usize,
  count: u32,
  streams: u32,
  orderPtr: usize,
  startsPtr: usize,
): void {
  memory.fill(startsPtr, 0, (<usize>streams + 1) << 2)
  for (let n: u32 = 0; n < count; n++) {
    const slot = startsPtr + ((<usize>streamOf(indexPtr, n)) << 2)
    store<u32>(slot, load<u32>(slot) + 1)
  }
  let sum: u32 = 0
  for (let stream: u32 = 0; stream <= streams; stream++) {
    const slot = startsPtr + ((<usize>stream) << 2)
    sum += load<u32>(slot)
    store<u32>(slot, sum)
  }
  // backwards, each stream filled from its end: starts then hold the first positions and equal streams keep their order
  for (let n = count; n > 0; ) {
    n--
    const slot = startsPtr + ((<usize>streamOf(indexPtr, n)) << 2)
    const at = load<u32>(slot) - 1
    store<u32>(slot, at)
    store<u32>(orderPtr + ((<usize>at) << 2), n)
  }
  for (let stream: u32 = 0; stream < streams; stream++) {
    const slot = startsPtr + ((<usize>stream) << 2)
    sortByTime(indexPtr, orderPtr + ((<usize>load<u32>(slot)) << 2), load<u32>(slot, 4) - load<u32>(slot))
  }
}

function streamOf(indexPtr: usize, n: u32): u32 {
  return load<u32>(indexPtr + <usize>n * ENTRY_BYTES, 16)
}

function before(indexPtr: usize, a: u32, b: u32): bool {
  const timeA = load<i64>(indexPtr + <usize>a * ENTRY_BYTES)
  const timeB = load<i64>(indexPtr + <usize>b * ENTRY_BYTES)
  return timeA < timeB || (timeA == timeB && a < b)
}

/** Insertion while it is cheap (records nearly in order, the usual case); after 8 moves a record a heap sort bounds the rest. */
function sortByTime(indexPtr: usize, list: usize, count: u32): void {
  let moves: u64 = (<u64>count) << 3
  for (let i: u32 = 1; i < count; i++) {
    const moving = load<u32>(list + ((<usize>i) << 2))
    let at = list + ((<usize>i) << 2)
    while (at > list && before(indexPtr, moving, load<u32>(at - 4))) {
      store<u32>(at, load<u32>(at - 4))
      at -= 4
      moves--
      if (moves == 0) {
        store<u32>(at, moving)
        heapSort(indexPtr, list, count)
        return
      }
    }
    store<u32>(at, moving)
  }
}

function heapSort(indexPtr: usize, list: usize, count: u32): void {
  for (let root = count >>> 1; root > 0; ) {
    root--
    siftDown(indexPtr, list, root, count)
  }
  for (let last = count - 1; last > 0; last--) {
    const end = list + ((<usize>last) << 2)
    const top = load<u32>(list)
    store<u32>(list, load<u32>(end))
    store<u32>(end, top)
    siftDown(indexPtr, list, 0, last)
  }
}

function siftDown(indexPtr: usize, list: usize, root: u32, count: u32): void {
  const moving = load<u32>(list + ((<usize>root) << 2))
  while (true) {
    let child = root * 2 + 1
    if (child >= count) break
    let value = load<u32>(list + ((<usize>child) << 2))
    if (child + 1 < count) {
      const right = load<u32>(list + ((<usize>child) << 2), 4)
      if (before(indexPtr, value, right)) {
        child++
        value = right
      }
    }
    if (!before(indexPtr, moving, value)) break
    store<u32>(list + ((<usize>root) << 2), value)
    root = child
  }
  store<u32>(list + ((<usize>root) << 2), moving)
}
