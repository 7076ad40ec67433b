// Cuts a frame into runs of consecutive records that go to the same index and have the same routing: usually one run.
import type { StreamFields } from '../../../protocol/frame.js'
import { INDEX_ENTRY_BYTES } from '../../../protocol/frame.js'
import type { Kernel } from '../../../kernel/kernel.js'
import { entryTimeMs } from '../entry-time.js'
import type { LoadedFrame } from '../writer.js'
import type { IndexNames } from './index-name.js'

export interface Run {
  readonly from: number
  readonly to: number
  readonly index: string
  readonly routing: string | undefined
}

const STREAM_AT = 16
/** Characters of a routing value: a container may call its service what it likes, but an action line has a bound. */
const ROUTING_MAX = 256

/** `routing` none: all records of a period are one run. The split is a pure function of the frame, so a retry goes to the same place. */
export function runsOf(
  frame: LoadedFrame,
  kernel: Pick<Kernel, 'view'>,
  names: IndexNames,
  routing: 'none' | 'service_name' | 'namespace',
): readonly Run[] {
  const { count, minTsMs, maxTsMs, streams } = frame.header
  const { periodMs } = names
  const samePeriod = Math.floor(minTsMs / periodMs) === Math.floor(maxTsMs / periodMs)
  if (samePeriod && routing === 'none') {
    return [{ from: 0, to: count, index: names.at(minTsMs), routing: undefined }]
  }
  const runs: Run[] = []
  let from = 0
  let last = ''
  let lastRouting: string | undefined
  for (let n = 0; n <= count; n++) {
    const entry = frame.indexPtr + n * INDEX_ENTRY_BYTES
    const index =
      n === count ? '' : samePeriod ? names.at(minTsMs) : names.at(entryTimeMs(kernel.view, entry))
    const key =
      n === count || routing === 'none' ? undefined : routingOf(streams, kernel.view, entry, routing)
    if (n > 0 && (n === count || index !== last || key !== lastRouting)) {
      runs.push({ from, to: n, index: last, routing: lastRouting })
      from = n
    }
    last = index
    lastRouting = key
  }
  return runs
}

function routingOf(
  streams: readonly StreamFields[],
  view: DataView,
  entry: number,
  by: 'service_name' | 'namespace',
): string | undefined {
  // The server hashes the value itself (murmur3): equal values, equal shard.
  return streams[view.getUint32(entry + STREAM_AT, true)]?.[by].slice(0, ROUTING_MAX)
}
