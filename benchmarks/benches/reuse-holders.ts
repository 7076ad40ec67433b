// Four ways to hold a batch of records between two steps: new objects, a pool, the same objects again, and a table of numbers.
// Each step writes or reads the same nine fields; a batch lives until its last step, as between two actors.

export interface Holder {
  readonly records: number
  /** One batch through all steps; the checksum keeps the compiler from leaving any out. */
  batch(): number
}

interface Held {
  from: number
  to: number
  timeMs: number
  level: number
  service: number
  trace: number
  status: number
  rate: number
  kept: boolean
}

const RECORDS = 1024
const WORDS = 9

const blank = (): Held => ({
  from: 0,
  to: 0,
  timeMs: 0,
  level: 0,
  service: 0,
  trace: 0,
  status: 0,
  rate: 0,
  kept: false,
})

function fill(held: Held, n: number): Held {
  held.from = n * 400
  held.to = n * 400 + 365
  held.timeMs = 1_767_000_000_000 + n
  held.level = n % 6
  held.service = n & 127
  held.trace = (n * 2_654_435_761) >>> 0
  held.status = n % 50 === 0 ? 500 : 200
  return held
}

function judge(held: Held): void {
  held.rate = held.level > 3 ? 1 : held.service === 7 ? 0.5 : 0.1
  held.kept = held.trace < held.rate * 4_294_967_296
}

function collect(batch: readonly Held[]): number {
  let sum = 0
  for (const held of batch) if (held.kept) sum += held.to - held.from + held.status + (held.timeMs % 7)
  return sum
}

function newObjects(): Holder {
  return {
    records: RECORDS,
    batch() {
      const batch: Held[] = []
      for (let n = 0; n < RECORDS; n++) batch.push(fill(blank(), n))
      for (const held of batch) judge(held)
      return collect(batch)
    },
  }
}

function pool(): Holder {
  const free: Held[] = Array.from({ length: RECORDS }, blank)
  return {
    records: RECORDS,
    batch() {
      const batch: Held[] = []
      for (let n = 0; n < RECORDS; n++) batch.push(fill(free.pop() ?? blank(), n))
      for (const held of batch) judge(held)
      const sum = collect(batch)
      for (const held of batch) free.push(held)
      return sum
    },
  }
}

function inPlace(): Holder {
  const batch = Array.from({ length: RECORDS }, blank)
  return {
    records: RECORDS,
    batch() {
      for (let n = 0; n < RECORDS; n++) fill(batch[n] as Held, n)
      for (const held of batch) judge(held)
      return collect(batch)
    },
  }
}

/** As the kernel's record table: words at fixed places, no object at all. */
function table(): Holder {
  const words = new Float64Array(RECORDS * WORDS)
  return {
    records: RECORDS,
    batch() {
      for (let n = 0; n < RECORDS; n++) {
        const at = n * WORDS
        words[at] = n * 400
        words[at + 1] = n * 400 + 365
        words[at + 2] = 1_767_000_000_000 + n
        words[at + 3] = n % 6
        words[at + 4] = n & 127
        words[at + 5] = (n * 2_654_435_761) >>> 0
        words[at + 6] = n % 50 === 0 ? 500 : 200
      }
      for (let at = 0; at < words.length; at += WORDS) {
        const rate = (words[at + 3] as number) > 3 ? 1 : words[at + 4] === 7 ? 0.5 : 0.1
        words[at + 7] = rate
        words[at + 8] = (words[at + 5] as number) < rate * 4_294_967_296 ? 1 : 0
      }
      return collectTable(words)
    },
  }
}

function collectTable(words: Float64Array): number {
  let sum = 0
  for (let at = 0; at < words.length; at += WORDS) {
    if (words[at + 8] === 0) continue
    const bytes = (words[at + 1] as number) - (words[at] as number)
    sum += bytes + (words[at + 6] as number) + ((words[at + 2] as number) % 7)
  }
  return sum
}

export const HOLDERS: Readonly<Record<string, () => Holder>> = {
  'new object': newObjects,
  pool,
  'reuse in place': inPlace,
  'table of numbers': table,
}
