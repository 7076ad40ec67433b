// The wait for the end of a run: until the oracle misses nothing of what was written, not until the nodes look calm; pauses are told with what the nodes say of themselves.
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeStatus } from '../../protocol/status.js'
import type { ChaosNode } from './node.js'

export interface SettlingOptions {
  readonly nodes: readonly ChaosNode[]
  /** Records that are neither stored nor buried yet, of any backend; dear, so asked only of calm nodes. */
  missing(): Promise<readonly string[]>
  say(line: string): void
  readonly withinMs: number
  /** Records are missing and nothing has moved for so long: it will not come any more. */
  readonly pauseMaxMs: number
}

export interface Settled {
  readonly tookMs: number
  /** The longest time in which records were missing and no node read or wrote anything. */
  readonly longestPauseMs: number
  /** What was still missing at the bound, with the reasons that the nodes gave. */
  readonly wrong: readonly string[]
}

/** Nodes send their figures once a second: two looks this far apart that are equal mean a pause. */
const CALM_MS = 2500
const LOOK_EVERY_MS = 300
/** Backends and proxies live in this process: to ask what is missing must not keep them from answering. */
const COST_SHARE_MAX = 1 / 20
const SHOWN = 5

/** Resolves when nothing is missing and nothing is on its way, or at the bound. */
export async function settle({
  nodes,
  missing,
  say,
  withinMs,
  pauseMaxMs,
}: SettlingOptions): Promise<Settled> {
  const begin = performance.now()
  let longestPauseMs = 0
  let changedMs = begin
  let before = ''
  let told = ''
  let askAgainMs = 0
  for (;;) {
    for (const node of nodes) node.watch()
    const states = await Promise.all(nodes.map((node) => node.status()))
    const now = JSON.stringify(states.map(progressOf))
    if (now !== before) changedMs = performance.now()
    before = now
    const nowMs = performance.now()
    const isLate = nowMs - begin > withinMs || nowMs - changedMs > pauseMaxMs
    const isCalm = nowMs - changedMs >= CALM_MS && states.every((state) => state !== undefined)
    if ((isCalm && nowMs >= askAgainMs) || isLate) {
      const lacking = await missing()
      askAgainMs = performance.now() + (performance.now() - nowMs) / COST_SHARE_MAX
      const isBehind = states.some((state) => state === undefined || lagOf(state) > 0)
      if (lacking.length === 0 && (!isBehind || isLate))
        return { tookMs: performance.now() - begin, longestPauseMs, wrong: isBehind ? late(states, []) : [] }
      if (lacking.length > 0) longestPauseMs = Math.max(longestPauseMs, nowMs - changedMs)
      if (isLate) return { tookMs: nowMs - begin, longestPauseMs, wrong: late(states, lacking) }
      if (lacking.length > 0 && told !== now) {
        told = now
        say(`a pause after ${seconds(nowMs - begin)}: ${listed(lacking)}; ${states.map(saidBy).join('; ')}`)
      }
    }
    await sleep(LOOK_EVERY_MS)
  }

  function late(states: readonly (NodeStatus | undefined)[], lacking: readonly string[]): string[] {
    return [`not delivered within ${withinMs / 1000} s: ${listed(lacking)}; ${states.map(saidBy).join('; ')}`]
  }
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

function listed(lacking: readonly string[]): string {
  return `${lacking.length} missing (${lacking.slice(0, SHOWN).join(', ')})`
}

export function lagOf({ backends }: NodeStatus): number {
  return Object.values(backends).reduce((sum, { lagFrames }) => sum + lagFrames, 0)
}

function progressOf(status: NodeStatus | undefined): unknown {
  if (status === undefined) return undefined
  const written = Object.values(status.backends).map(({ writtenRecords }) => writtenRecords)
  return [status.counters.readBytes, status.journal.tailSeq, lagOf(status), written]
}

/** What explains a pause: reasons, the journal's room, files that wait. */
function saidBy(status: NodeStatus | undefined, n: number): string {
  if (status === undefined) return `node ${n}: no answer`
  const { reasons, degraded, journal, actors } = status
  const files = Object.entries(actors).filter(([name]) => name.startsWith('source.'))
  const facts = [
    ...reasons,
    ...degraded,
    `${lagOf(status)} frames behind`,
    `journal ${journal.bytes} bytes up to ${journal.tailSeq}`,
    ...files.map(([name, { detail }]) => `${name} ${JSON.stringify(detail)}`),
  ]
  return `node ${n}: ${facts.join(', ')}`
}
