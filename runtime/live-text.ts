// A text in shared memory that one thread replaces and others read whole, with a wake-up for those who idle and a word back of who has it.

/** Words of the head; the two halves of the text follow it. */
const WORD = { VERSION: 0, LENGTH: 1, APPLIED: 3 } as const
const HEAD_BYTES = 16

export interface LiveText {
  /** Grows by one with every publish; compare it with the last one seen. One atomic load. */
  version(): number
  /** The current text, read whole: never half of one version and half of another. */
  read(): string
  /** Replaces the text; one thread at a time. Returns the new version. Throws a RangeError when it exceeds the fixed memory; the text then stays. */
  publish(text: string): number
  /** Runs soon after every publish, also in a thread that idles. Returns a function that ends it. */
  onChange(run: () => void): () => void
  /** The reading side says that from now on it works by this version. */
  applied(version: number): void
  /** Resolves to true when the reading side has said so of this version or a later one, to false after the time. */
  whenApplied(version: number, timeoutMs: number): Promise<boolean>
}

export function createTextMemory(bytesMax: number, text: string): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(HEAD_BYTES + 2 * bytesMax)
  openLiveText(memory).publish(text)
  return memory
}

/**
 * Two halves take turns: a publish fills the one that nobody is told of, then counts the version up. So a reader never waits for a writer,
 * and a writer that dies half-way leaves the last whole text. What was read counts only if the version is still the same afterwards: the
 * half can be written to again only after the next version is out.
 */
export function openLiveText(memory: SharedArrayBuffer): LiveText {
  const words = new Int32Array(memory, 0, HEAD_BYTES / 4)
  const bytesMax = (memory.byteLength - HEAD_BYTES) / 2
  const halves = [
    new Uint8Array(memory, HEAD_BYTES, bytesMax),
    new Uint8Array(memory, HEAD_BYTES + bytesMax, bytesMax),
  ] as const
  const version = (): number => Atomics.load(words, WORD.VERSION)
  return {
    version,
    read() {
      for (;;) {
        const before = version()
        const half = before & 1
        const copy = halves[half as 0 | 1].slice(0, Atomics.load(words, WORD.LENGTH + half))
        // Read-modify-write: unlike a load it may not be done before the copy above it.
        if (Atomics.or(words, WORD.VERSION, 0) === before) return new TextDecoder().decode(copy)
      }
    },
    publish(text) {
      const bytes = new TextEncoder().encode(text)
      if (bytes.length > bytesMax)
        throw new RangeError(`a live text of ${bytes.length} bytes exceeds ${bytesMax} bytes`)
      const next = (version() + 1) | 0
      const half = next & 1
      halves[half as 0 | 1].set(bytes)
      Atomics.store(words, WORD.LENGTH + half, bytes.length)
      Atomics.add(words, WORD.VERSION, 1)
      Atomics.notify(words, WORD.VERSION)
      return next
    },
    onChange: (run) => watch(words, WORD.VERSION, version(), run),
    applied(seen) {
      Atomics.store(words, WORD.APPLIED, seen)
      Atomics.notify(words, WORD.APPLIED)
    },
    whenApplied: (wanted, timeoutMs) => reached(words, wanted, timeoutMs),
  }
}

/** Calls `run` whenever the word differs from what was seen last, without a timer and without holding the thread. */
function watch(words: Int32Array, word: number, from: number, run: () => void): () => void {
  let ended = false
  let seen = from
  const look = (): void => {
    if (ended) return
    const now = Atomics.load(words, word)
    if (now !== seen) {
      seen = now
      run()
    }
    const wait = Atomics.waitAsync(words, word, seen)
    if (wait.async) void wait.value.then(look)
    else queueMicrotask(look)
  }
  look()
  return () => void (ended = true)
}

async function reached(words: Int32Array, wanted: number, timeoutMs: number): Promise<boolean> {
  let stopTimer = (): void => undefined
  // A timer, since a wait for a word does not keep the process alive.
  const late = new Promise<'late'>((resolve) => {
    const timer = setTimeout(() => resolve('late'), timeoutMs)
    stopTimer = () => clearTimeout(timer)
  })
  try {
    for (;;) {
      const seen = Atomics.load(words, WORD.APPLIED)
      // Versions wrap: the difference tells which is later.
      if (((seen - wanted) | 0) >= 0) return true
      const wait = Atomics.waitAsync(words, WORD.APPLIED, seen)
      if (wait.async && (await Promise.race([wait.value, late])) === 'late') return false
    }
  } finally {
    stopTimer()
  }
}
