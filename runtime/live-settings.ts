// Settings that change while running: a versioned text in shared memory that the hot path checks with one atomic load.

/** Posted to every worker at start. Word 0: version (even = stable), word 1: length in bytes; the text follows. */
export interface LiveSettingsMemory {
  readonly memory: SharedArrayBuffer
}

export interface LiveSettings {
  /** Grows with every publish; compare it with the last one seen. */
  version(): number
  /** The current text (JSON), read whole: never half of one version and half of another. */
  read(): string
  /** Replaces the text. Only the supervisor's thread publishes. Throws a RangeError when it exceeds the fixed memory. */
  publish(text: string): void
}

const TEXT_BYTES_MAX = 256 * 1024

export function createLiveMemory(text: string): LiveSettingsMemory {
  const memory = { memory: new SharedArrayBuffer(8 + TEXT_BYTES_MAX) }
  openLiveSettings(memory).publish(text)
  return memory
}

export function openLiveSettings({ memory }: LiveSettingsMemory): LiveSettings {
  const words = new Int32Array(memory, 0, 2)
  const text = new Uint8Array(memory, 8)
  return {
    version: () => Atomics.load(words, 0),
    // A seqlock: an odd version means a writer is at work; a changed version means the copy may be torn.
    read() {
      for (;;) {
        const before = Atomics.load(words, 0)
        if ((before & 1) === 0) {
          const copy = text.slice(0, Atomics.load(words, 1))
          if (Atomics.load(words, 0) === before) return new TextDecoder().decode(copy)
        }
      }
    },
    publish(value) {
      const bytes = new TextEncoder().encode(value)
      if (bytes.length > TEXT_BYTES_MAX) {
        throw new RangeError(`live settings of ${bytes.length} bytes exceed ${TEXT_BYTES_MAX} bytes`)
      }
      Atomics.add(words, 0, 1)
      text.set(bytes)
      Atomics.store(words, 1, bytes.length)
      Atomics.add(words, 0, 1)
    },
  }
}
