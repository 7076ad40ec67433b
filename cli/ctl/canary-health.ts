// Whether the nodes that try new settings are well: what is wrong with one now that was not before, an operator's restarts apart.
import type { GroupState, NodeStatus } from '../../protocol/status.js'
import type { NodeAnswer } from './ask.js'

export interface CanaryHealth {
  /** Of one look at all canaries, `pastMs` after they were given the settings. */
  problems(answers: readonly NodeAnswer[], pastMs: number): string[]
  runs(answer: NodeAnswer): boolean
}

/** By then every canary runs with the settings, or it does not take them. */
const APPLIED_WITHIN_MS = 10_000
/** A restart of the thread that answers takes a moment, and it connects anew. */
const SILENT_MS = 5000

/** `baseline`: what the nodes answered before. */
export function createCanaryHealth(
  baseline: ReadonlyMap<string, NodeAnswer>,
  revision: number,
): CanaryHealth {
  /** Since when a node gives no answer. */
  const silent = new Map<string, number>()
  /** Restarts asked for, as of the last answer. */
  const askedSeen = new Map<string, number>()

  function problemsOf({ node, answer }: NodeAnswer, pastMs: number): string[] {
    if (!answer.ok) {
      const sinceMs = silent.get(node) ?? pastMs
      silent.set(node, sinceMs)
      return pastMs - sinceMs < SILENT_MS ? [] : [`${node} gives no answer any more: ${answer.message}`]
    }
    silent.delete(node)
    const now = answer.result as NodeStatus
    const before = baseline.get(node)?.answer
    const then = before?.ok === true ? (before.result as NodeStatus) : undefined
    const refused = String(now.actors['control']?.detail['settingsRefused'] ?? '')
    if (refused !== '') return [`${node}: ${refused}`]
    const problems = harm(node, now, then)
    const isRestarted = isRestarting(node, now, then)
    askedSeen.set(node, askedOf(now))
    if (isRestarted) return problems
    problems.push(...impaired(node, now, then))
    if (!runs(now, revision) && pastMs > APPLIED_WITHIN_MS)
      problems.push(`${node} does not run revision ${revision} after ${APPLIED_WITHIN_MS / 1000} s`)
    return problems
  }

  /** An operator's restart goes on, or went by since the last look. */
  function isRestarting(node: string, now: NodeStatus, then: NodeStatus | undefined): boolean {
    const seen = askedSeen.get(node) ?? askedOf(then)
    const down = Object.entries(now.groups).some(
      ([group, { up, asked = 0 }]) => !up && asked > (then?.groups[group]?.asked ?? 0),
    )
    return down || askedOf(now) > seen
  }

  return {
    problems: (answers, pastMs) => answers.flatMap((answer) => problemsOf(answer, pastMs)),
    runs: ({ answer }) => answer.ok && runs(answer.result, revision),
  }
}

function runs(status: unknown, revision: number): boolean {
  return (status as NodeStatus).actors['control']?.detail['settingsRevision'] === revision
}

function harm(node: string, now: NodeStatus, then: NodeStatus | undefined): string[] {
  const crashed = Object.entries(now.groups).filter(
    ([group, state]) => crashesOf(state) > crashesOf(then?.groups[group] ?? state),
  )
  const buried = Object.entries(now.backends).filter(
    ([backend, { deadLetters }]) => deadLetters > (then?.backends[backend]?.deadLetters ?? deadLetters),
  )
  return [
    ...crashed.map(([group]) => `${node}: thread group ${group} crashed`),
    ...buried.map(([backend]) => `${node}: ${backend} has new dead letters`),
  ]
}

function impaired(node: string, now: NodeStatus, then: NodeStatus | undefined): string[] {
  const known = new Set(then?.degraded)
  return [
    ...(!now.ready && then?.ready !== false ? [`${node} is not ready: ${now.reasons.join('; ')}`] : []),
    ...now.degraded.filter((what) => !known.has(what)).map((what) => `${node} is degraded: ${what}`),
  ]
}

/** What an operator restarts has not crashed. */
const crashesOf = ({ restarts, asked = 0 }: GroupState) => restarts - asked

const askedOf = (status: NodeStatus | undefined) =>
  Object.values(status?.groups ?? {}).reduce((sum, { asked = 0 }) => sum + asked, 0)
