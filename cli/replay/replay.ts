// The replay itself: frames from their source, at a bounded rate, a few under way at a time.
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError } from '../../protocol/errors.js'
import { sleep, systemClock } from '../../runtime/clock.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics } from '../../runtime/metrics.js'
import { openSender } from '../../actors/writers/sender.js'
import { archiveFrames, journalFrames, type ReplayFrame } from './frames.js'

export interface ReplayOptions {
  readonly from: string
  readonly to: string
  readonly sinceMs: number
  readonly untilMs: number
  readonly matches: ((recordJson: string) => boolean) | undefined
  readonly bytesPerSecond: number
  readonly dryRun: boolean
  readonly signal: AbortSignal
  progress(at: ReplayProgress): void
}

export interface ReplayProgress {
  readonly frames: number
  /** Taken by the backend, or there already. */
  readonly records: number
  readonly bytes: number
  readonly refused: number
  readonly reasons: Readonly<Record<string, number>>
  /** Records of the source that are none. */
  readonly unreadable: number
  /** The backend did not answer in time. */
  readonly open: number
  /** Time of the newest record sent. */
  readonly at: string
  readonly tookMs: number
}

const UNDER_WAY_MAX = 4
/** A backend that is away is waited for this long; then the replay ends, and can be run again. */
const WAIT_MS = 300_000

export async function replay(
  config: Config,
  options: ReplayOptions,
): Promise<ReplayProgress & { readonly interrupted: boolean }> {
  const { signal } = options
  const target = Object.hasOwn(config.backends, options.to) ? config.backends[options.to] : undefined
  if (target === undefined || target.type === 'archive') {
    const known = Object.keys(config.backends).filter((name) => config.backends[name]?.type !== 'archive')
    throw new MillraceError(
      'usage.to',
      `--to: got ${JSON.stringify(options.to)}, expected an elasticsearch or loki backend of the configuration (${known.join(', ')})`,
    )
  }
  const startedMs = systemClock.monotonic()
  const total = { frames: 0, records: 0, bytes: 0, refused: 0, unreadable: 0, open: 0, atMs: 0 }
  const reasons: Record<string, number> = {}
  const now = (): ReplayProgress => {
    const { atMs, ...counts } = total
    const at = atMs === 0 ? 'nothing' : new Date(atMs).toISOString()
    return { ...counts, reasons, at, tookMs: Math.round(systemClock.monotonic() - startedMs) }
  }
  const count = (reason: string): void => void (reasons[reason] = (reasons[reason] ?? 0) + 1)
  const sender = options.dryRun
    ? undefined
    : await openSender({
        name: options.to,
        options: target,
        nodeId: config.node.id,
        clock: systemClock,
        random: Math.random,
        log: createLogger('error'),
        metrics: createMetrics(),
      })
  const underWay = new Map<string, Promise<void>>()

  async function send(frame: ReplayFrame): Promise<void> {
    const { stored, refused, open } =
      sender === undefined
        ? { stored: frame.records, refused: [], open: 0 }
        : await sender.send(frame.encoded, frame.numbers, WAIT_MS)
    total.records += stored
    total.refused += refused.length
    total.open += open
    for (const { reason } of refused) count(reason)
    total.atMs = Math.max(total.atMs, frame.toMs)
    options.progress(now())
  }

  /** Bytes so far set the time at which the next frame may go. */
  async function pace(): Promise<void> {
    const dueMs = startedMs + (total.bytes / options.bytesPerSecond) * 1000
    const waitMs = dueMs - systemClock.monotonic()
    if (waitMs > 0) await sleep(systemClock, waitMs, signal)
  }

  try {
    const unreadable = (records: number): void => void (total.unreadable += records)
    const source = { config, ...options, unreadable }
    const frames = options.from === 'journal' ? journalFrames(source) : archiveFrames(source)
    for await (const frame of frames) {
      await pace()
      if (signal.aborted || total.open > 0) break
      total.frames++
      total.bytes += frame.bytes
      // Pieces of one frame one after the other; others side by side.
      await underWay.get(frame.id)
      while (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay.values())
      const sending = send(frame).finally(() => underWay.delete(frame.id))
      underWay.set(frame.id, sending)
    }
    await Promise.all(underWay.values())
  } finally {
    await sender?.close()
  }
  return { ...now(), interrupted: signal.aborted }
}
