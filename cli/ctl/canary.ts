// A staged roll-out: a share of the nodes takes the settings first, is watched, and then all take them or none does.
import { canaryBelow, nodeShare, parseSettings } from '../../protocol/control/settings.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import type { NodeStatus } from '../../protocol/status.js'
import { CANARY_KEY, nodeKey } from '../../protocol/subjects.js'
import { sleep, systemClock } from '../../runtime/clock.js'
import type { ConfigBucket } from '../../runtime/nats/config-bucket.js'
import { askEach, nobody, type NodeAnswer } from './ask.js'
import { createCanaryHealth } from './canary-health.js'
import { caller, print } from './options.js'
import { ofCluster, type Session } from './session.js'

export interface CanaryOptions {
  readonly percent: number
  /** How long the first nodes are watched. */
  readonly watchMs: number
  readonly signal: AbortSignal
}

const LOOK_EVERY_MS = 1000
/** An operator's connection may be lost: the canaries go back by themselves this long after the watch. */
const GRACE_MS = 60_000

/** Resolves when the canaries are well. Throws `ctl.canary` with what was wrong; the canaries' settings are taken back by then. */
export async function tryOnCanaries(
  session: Session,
  bucket: ConfigBucket,
  section: unknown,
  options: CanaryOptions,
): Promise<void> {
  const members = (await session.members()).map(({ node }) => node)
  if (members.length === 0) throw nobody(session)
  const nowMs = Date.now()
  const at = new Date(nowMs).toISOString()
  const before = await bucket.get(CANARY_KEY)
  demandNoRollOut(before?.text, nowMs)
  const below = canaryBelow(members, at, options.percent)
  const chosen = members.filter((node) => nodeShare(node, at) < below)
  const ask = (nodes: readonly string[]) =>
    askEach(session, nodes, 'status', { verb: 'status', args: {}, by: caller() })
  const baseline = new Map((await ask(chosen)).map((each) => [each.node, each]))
  const canaries = withoutOwn(chosen, baseline)
  const look = () => ask(canaries)
  const value = {
    section,
    by: caller(),
    ...ofCluster(session),
    at,
    below,
    untilMs: nowMs + options.watchMs + GRACE_MS,
  }
  const revision = await bucket.put(CANARY_KEY, JSON.stringify(value), before?.revision ?? 0)
  print(`canary: revision ${revision} on ${canaries.length} of ${members.length} nodes: ${names(canaries)}`)
  const health = createCanaryHealth(baseline, revision)
  try {
    const startMs = systemClock.monotonic()
    for (;;) {
      await sleep(systemClock, LOOK_EVERY_MS, options.signal)
      if (options.signal.aborted) throw new MillraceError('ctl.canary', 'interrupted')
      const pastMs = systemClock.monotonic() - startMs
      const answers = await look()
      const problems = health.problems(answers, pastMs)
      if (problems.length > 0) throw new MillraceError('ctl.canary', problems.join('\n'))
      if (pastMs >= options.watchMs && answers.every(health.runs)) return
    }
  } catch (error) {
    await bucket.delete(CANARY_KEY, caller())
    const text = saidOf(error)
    throw new MillraceError('ctl.canary', `rolled back, all nodes keep the settings they had: ${text}`, {
      cause: error,
    })
  }
}

/** Settings of a node's own count before a canary's: it would not try anything. */
function withoutOwn(chosen: readonly string[], baseline: ReadonlyMap<string, NodeAnswer>): string[] {
  const keyOf = (node: string) => {
    const answer = baseline.get(node)?.answer
    return answer?.ok === true
      ? (answer.result as NodeStatus).actors['control']?.detail['settingsKey']
      : undefined
  }
  const own = chosen.filter((node) => keyOf(node) === nodeKey(node))
  const left = chosen.filter((node) => !own.includes(node))
  if (left.length === 0)
    throw new MillraceError(
      'ctl.canary',
      `nobody to try it on: ${names(own)} follow settings of their own; take a larger share, or remove those with \`millrace ctl config delete --only NODE\``,
    )
  if (own.length > 0) print(`left out, since they follow settings of their own: ${names(own)}`)
  return left
}

/** Throws `ctl.canary_running`; `text` is the value of the canaries' key. */
export function demandNoRollOut(text: string | undefined, nowMs: number): void {
  if (text === undefined) return
  const { untilMs = 0, by = 'unknown' } = parseSettings(text) ?? {}
  if (untilMs <= nowMs) return
  const until = new Date(untilMs).toISOString()
  throw new MillraceError(
    'ctl.canary_running',
    `a roll-out by ${by} runs until ${until} at the latest; wait for it, or look at \`millrace ctl nodes\``,
  )
}

export function names(nodes: readonly string[]): string {
  return nodes.length > 10
    ? `${nodes.slice(0, 10).join(', ')} and ${nodes.length - 10} more`
    : nodes.join(', ')
}
