// Counts what a configuration makes of each record: what came in, and what would be kept of it on average.
import type { SampleOptions } from '../../actors/sample/sample.js'
import type { Scanner } from '../../kernel/scanner.js'
import { FLAG, WORD } from '../../kernel/table.js'
import type { StreamFields } from '../../protocol/frame.js'
import type { EachKept } from '../offline/chain.js'
import { type Amount, NOTHING, type VolumeKey } from '../volume/volume.js'

export interface Counted extends VolumeKey {
  readonly in: Amount
  /** The sum of the records' rates: what is kept by chance is counted as its average. Bytes as they are written. */
  readonly kept: Amount
}

export interface Tally {
  judged(scanner: Scanner, ...judged: Parameters<NonNullable<SampleOptions['judged']>>): void
  /** Lines that do not begin as a container runtime's do. */
  malformed(): number
  readonly kept: EachKept
  /** By a text that names namespace, service and level. */
  result(): ReadonlyMap<string, Counted>
}

interface Sums extends VolumeKey {
  records: number
  bytes: number
  rates: number
  /** Content bytes by rate. */
  rateBytes: number
  emitted: number
  emittedContentBytes: number
  emittedBytes: number
}

export function createTally(): Tally {
  const all = new Map<string, Sums>()
  let malformed = 0
  function sumsOf({ namespace, service_name: service, log_level: level }: StreamFields): Sums {
    const key = keyOf({ namespace, service, level })
    const known = all.get(key)
    if (known !== undefined) return known
    const zero = {
      records: 0,
      bytes: 0,
      rates: 0,
      rateBytes: 0,
      emitted: 0,
      emittedContentBytes: 0,
      emittedBytes: 0,
    }
    const fresh: Sums = { namespace, service, level, ...zero }
    all.set(key, fresh)
    return fresh
  }
  return {
    judged(scanner, streams, from, to) {
      // A number means the same stream for the length of a batch.
      const ofBatch = new Map<number, Sums>()
      for (let n = from; n < to; n++) {
        const flags = scanner.flags(n)
        if ((flags & FLAG.JUDGED) === 0) continue
        if ((flags & FLAG.CRI_MALFORMED) !== 0) malformed++
        const stream = scanner.word(n, WORD.STREAM)
        let sums = ofBatch.get(stream)
        if (sums === undefined) {
          sums = sumsOf(streams.fields([stream])[0] as StreamFields)
          ofBatch.set(stream, sums)
        }
        note(
          sums,
          scanner.word(n, WORD.END) - scanner.word(n, WORD.START),
          float(scanner.word(n, WORD.RATE)),
          flags,
        )
      }
    },
    kept(header, stream, _body, from, to) {
      sumsOf(header.streams[stream] as StreamFields).emittedBytes += to - from
    },
    malformed: () => malformed,
    result() {
      const added = addedBytes([...all.values()])
      return new Map(
        Array.from(all, ([key, sums]) => {
          const { namespace, service, level, records, bytes, rates, rateBytes } = sums
          const extra = addedBytes([sums]) ?? added ?? 0
          const kept = rates === 0 ? NOTHING : { records: rates, bytes: rateBytes + rates * extra }
          return [key, { namespace, service, level, in: { records, bytes }, kept }]
        }),
      )
    },
  }
}

function note(sums: Sums, bytes: number, rate: number, flags: number): void {
  sums.records++
  sums.bytes += bytes
  sums.rates += rate
  sums.rateBytes += rate * bytes
  if ((flags & FLAG.KEPT) === 0) return
  sums.emitted++
  sums.emittedContentBytes += bytes
}

/** What a record's fields and names add to its line, on average; undefined where nothing was emitted. */
function addedBytes(sums: readonly Sums[]): number | undefined {
  const sum = (field: 'emitted' | 'emittedBytes' | 'emittedContentBytes') =>
    sums.reduce((total, each) => total + each[field], 0)
  const emitted = sum('emitted')
  return emitted === 0 ? undefined : (sum('emittedBytes') - sum('emittedContentBytes')) / emitted
}

export function keyOf({ namespace, service, level }: VolumeKey): string {
  return JSON.stringify([namespace, service, level])
}

const words = new Uint32Array(1)
const floats = new Float32Array(words.buffer)

function float(word: number): number {
  words[0] = word
  // The rate as it was configured, not as the nearest 32-bit float: sums of many would show the difference.
  return Number((floats[0] as number).toPrecision(7))
}
