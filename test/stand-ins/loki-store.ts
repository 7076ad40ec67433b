// What the Loki stand-in holds, and what it refuses: the limits and the time window as Loki ships them.
import {
  detectedLevel,
  formatLabels,
  type Labels,
  normalName,
  parseLabels,
  withServiceName,
} from './loki-labels.js'
import type { PushEntry, PushStream } from './push-decode.js'

export type Entry = { readonly timestampNs: bigint; readonly line: string; readonly metadata: Labels }
export type Stream = {
  readonly labels: Labels
  /** By time, since a duplicate has the same one. */
  readonly entries: Map<bigint, Entry[]>
  newestNs: bigint
}
export type PushOutcome = { readonly status: 204 | 400 | 422 | 500; readonly message: string }
export type StoreStats = { stored: number; duplicates: number; refused: number; swallowed: number }
export type LokiStore = {
  readonly streams: Map<string, Stream>
  push(streams: readonly PushStream[], bodyBytes: number, isLost: () => boolean): PushOutcome
}

const second = 1_000_000_000n
const limits = {
  lineBytes: 262_144,
  labels: 15,
  labelNameBytes: 1_024,
  labelValueBytes: 2_048,
  metadataBytes: 65_536,
  metadataPairs: 128,
  pushBytes: 4_194_304,
  oldestNs: 7n * 86_400n * second,
  aheadNs: 600n * second,
  behindNewestNs: 3_600n * second,
}
/** What re-encoding towards the ingester adds to an entry. */
const overheadBytes = 30

export function createLokiStore(now: () => number, stats: StoreStats, keepCopies = false): LokiStore {
  const streams = new Map<string, Stream>()

  /** The stream's entries into the store; the refusal of its last one that came too late. */
  const ingest = (
    labels: Labels,
    entries: readonly PushEntry[],
    isLost: () => boolean,
  ): string | undefined => {
    const key = formatLabels(labels)
    const stream = streams.get(key) ?? { labels, entries: new Map<bigint, Entry[]>(), newestNs: -(1n << 62n) }
    if (entries.length > 0) streams.set(key, stream)
    let refusal: string | undefined
    for (const entry of entries) {
      if (entry.timestampNs < stream.newestNs - limits.behindNewestNs) {
        stats.refused++
        refusal = tooFarBehind(entry, stream.newestNs, key)
        continue
      }
      if (entry.timestampNs > stream.newestNs) stream.newestNs = entry.timestampNs
      if (isLost()) stats.swallowed++
      else if (keep(stream, entry, keepCopies)) stats.stored++
      else stats.duplicates++
    }
    return refusal
  }

  return {
    streams,
    push(pushed, bodyBytes, isLost) {
      if (pushed.length === 0) {
        return { status: 422, message: 'error at least one valid stream is required for ingestion' }
      }
      const fatal = fatalFor(pushed, bodyBytes)
      if (fatal !== undefined) return { status: 500, message: fatal }
      const nowNs = BigInt(Math.trunc(now())) * 1_000_000n
      let invalid: string | undefined
      let late: string | undefined
      for (const { labels: text, entries } of pushed) {
        const checked = checkLabels(text)
        if ('refusal' in checked) {
          stats.refused += entries.length
          invalid ??= checked.refusal
          continue
        }
        const valid = entries.filter((entry) => {
          const refusal = refusalOf(entry, checked.key, nowNs)
          if (refusal !== undefined) stats.refused++
          invalid ??= refusal
          return refusal === undefined
        })
        // Only the last stream's result reaches the client: a 204 can hide what an earlier one lost.
        late = ingest(checked.labels, valid, isLost)
      }
      const message = invalid ?? late
      return message === undefined ? { status: 204, message: '' } : { status: 400, message }
    },
  }
}

function keep(
  stream: Stream,
  { timestampNs, line, metadata: pairs }: PushEntry,
  keepCopies: boolean,
): boolean {
  const metadata: Record<string, string> = {}
  for (const [name, value] of pairs) metadata[normalName(name)] = value.replaceAll('\ufffd', ' ')
  metadata['detected_level'] ??= detectedLevel(line)
  const sameTime = stream.entries.get(timestampNs)
  const text = formatLabels(metadata)
  if (!keepCopies && sameTime?.some((entry) => entry.line === line && formatLabels(entry.metadata) === text))
    return false
  const entry: Entry = { timestampNs, line, metadata }
  if (sameTime === undefined) stream.entries.set(timestampNs, [entry])
  else sameTime.push(entry)
  return true
}

/** What fails the whole push, for ever: too large for the ingester, or a metadata name of which nothing is left. */
function fatalFor(pushed: readonly PushStream[], bodyBytes: number): string | undefined {
  const bytes = pushed.reduce((sum, { entries }) => sum + entries.length * overheadBytes, bodyBytes)
  if (bytes > limits.pushBytes) {
    const code = 'rpc error: code = ResourceExhausted desc = grpc'
    return `${code}: received message larger than max (${bytes} vs. ${limits.pushBytes})`
  }
  const nameless = pushed.some(({ entries }) =>
    entries.some(({ metadata }) => metadata.some(([name]) => name === '')),
  )
  return nameless ? 'label name is empty' : undefined
}

function checkLabels(text: string): { labels: Labels; key: string } | { refusal: string } {
  let sent: Labels
  try {
    sent = parseLabels(text)
  } catch (error) {
    return { refusal: (error as Error).message }
  }
  const labels = withServiceName(sent)
  const key = formatLabels(labels)
  const names = Object.keys(sent)
  if (names.length > limits.labels) {
    return { refusal: `entry for stream '${key}' has ${names.length} label names; limit ${limits.labels}` }
  }
  for (const [name, value] of Object.entries(sent)) {
    if (Buffer.byteLength(name) > limits.labelNameBytes) {
      return { refusal: `stream '${key}' has label name too long: '${name}'` }
    }
    if (Buffer.byteLength(value) > limits.labelValueBytes) {
      return { refusal: `stream '${key}' has label value too long: '${value}'` }
    }
  }
  return { labels, key }
}

function refusalOf(
  { timestampNs, line, metadata }: PushEntry,
  key: string,
  nowNs: bigint,
): string | undefined {
  const entry = `entry for stream '${key}' has timestamp`
  if (timestampNs < nowNs - limits.oldestNs) {
    return `${entry} too old: ${iso(timestampNs)}, oldest acceptable timestamp is: ${iso(nowNs - limits.oldestNs)}`
  }
  if (timestampNs > nowNs + limits.aheadNs) return `${entry} too new: ${iso(timestampNs)}`
  const lineBytes = Buffer.byteLength(line)
  if (lineBytes > limits.lineBytes) {
    const what = `max entry size '${limits.lineBytes}' bytes exceeded for stream '${key}'`
    return `${what} while adding an entry with length '${lineBytes}' bytes`
  }
  const metadataBytes = metadata.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  )
  if (metadataBytes > limits.metadataBytes) {
    return `stream '${key}' has structured metadata too large: '${metadataBytes}' bytes, limit: '${limits.metadataBytes}' bytes`
  }
  if (metadata.length > limits.metadataPairs) {
    return `stream '${key}' has too many structured metadata labels: '${metadata.length}', limit: '${limits.metadataPairs}'`
  }
  return undefined
}

function tooFarBehind(entry: PushEntry, newestNs: bigint, key: string): string {
  const oldest = iso(newestNs - limits.behindNewestNs)
  const at = iso(entry.timestampNs)
  const reason = `entry too far behind, entry timestamp is: ${at}, oldest acceptable timestamp is: ${oldest}`
  return `entry with timestamp ${at} ignored, reason: '${reason}' for stream: ${key}`
}

const iso = (ns: bigint): string => new Date(Number(ns / 1_000_000n)).toISOString().replace(/\.\d+Z$/, 'Z')
