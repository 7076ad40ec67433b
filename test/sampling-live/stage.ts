// A service's traffic second by second through the real chain with an injected clock: what goes in, and what is kept of it.
import { type Chain, type ChainOptions, createChain, criOrigin, openOrigin } from '../ingest/chain.js'

export interface Line {
  readonly service?: string
  readonly level?: string
  readonly status?: number | undefined
  readonly latency_ms?: number
  readonly [field: string]: unknown
}

export interface Stage {
  readonly chain: Chain
  /** Feeds `count` lines, the same each; a function makes the n-th. Nothing is sealed yet. */
  feed(count: number, line?: Line | ((n: number) => Line)): void
  /** Lets a second pass; returns the records kept since the last call. */
  second(): Kept[]
  /** So many seconds with the same lines in each; the records kept in each. */
  seconds(seconds: number, perSecond: number, line?: Line | ((n: number) => Line)): Kept[][]
}

export interface Kept {
  readonly service_name: string
  readonly log_level: string
  readonly sample_rate?: number
  readonly status?: number
  readonly [field: string]: unknown
}

const STAMP = '2026-11-23T10:00:00.000000000Z'
const STEP_MS = 1000

export function createStage(options: ChainOptions = {}): Stage {
  const chain = createChain(options)
  openOrigin(chain, criOrigin(1))
  let offset = 0
  let seen = 0
  const stage: Stage = {
    chain,
    feed(count, line = {}) {
      const texts = Array.from({ length: count }, (_, n) => text(typeof line === 'function' ? line(n) : line))
      const bytes = Buffer.from(texts.join(''))
      if (count > 0) chain.feed(1, bytes, { offset })
      offset += bytes.length
    },
    second() {
      chain.advance(STEP_MS)
      const lines = chain.lines()
      const kept = lines.slice(seen).map((each) => JSON.parse(each) as Kept)
      seen = lines.length
      return kept
    },
    seconds(seconds, perSecond, line) {
      return Array.from({ length: seconds }, () => {
        stage.feed(perSecond, line)
        return stage.second()
      })
    },
  }
  return stage
}

function text({ service = 'cart', level = 'info', ...rest }: Line): string {
  return `${STAMP} stdout F ${JSON.stringify({ level, service_name: service, ...rest })}\n`
}

/** Records that the kept ones stand for. */
export function weightOf(kept: readonly Kept[]): number {
  return kept.reduce((sum, { sample_rate = 1 }) => sum + 1 / sample_rate, 0)
}
