// What a service's windows said within each rule's `for`: a rule's effect outlives its condition by that time.
import type { PreparedRule, Truths } from './rule-prepare.js'
import type { WindowMetrics } from './rule-evaluate.js'

/** Truths seen by rule, for a restart or a change of rules: `when` in its canonical form, then [truths, time last seen]. */
export type HeldState = readonly {
  readonly when: string
  readonly seen: readonly (readonly [truths: Truths, lastSeenMs: number])[]
}[]

export interface Held {
  /**
   * Notes a window, once a step. `nowMs` is of a clock that does not go back; where it does, what was seen counts as seen now.
   * Returns whether what is effective has changed: then decisions must be made anew.
   */
  observe(window: WindowMetrics | undefined, nowMs: number): boolean
  /** The truths of the rule's window comparisons that are effective: those of the last `for`, the last observed among them. */
  effective(rule: number): readonly Truths[]
  /** For a Held of other rules: those with the same condition go on. */
  state(): HeldState
}

export interface HeldRule {
  /** Canonical: bit n of the truths belongs to the n-th window comparison in it. */
  readonly when: string
  /** 0: no longer than the condition itself. */
  readonly forMs: number
  readonly prepared: PreparedRule
}

/** Different truths that a rule holds for a service; beyond it the one not seen for longest goes. */
const HELD_MAX = 64

export function createHeld(rules: readonly HeldRule[], before: HeldState = []): Held {
  const seen = rules.map(
    ({ when }) => new Map<Truths, number>(before.find((each) => each.when === when)?.seen ?? []),
  )
  let effective: readonly (readonly Truths[])[] = rules.map(() => [])
  const observeRule = (rule: number, window: WindowMetrics | undefined, nowMs: number): Truths[] => {
    const { forMs, prepared } = rules[rule] as HeldRule
    const times = seen[rule] as Map<Truths, number>
    const truths = prepared.windowTruths(window)
    times.delete(truths)
    times.set(truths, nowMs)
    for (const [each, lastMs] of times) {
      if (lastMs > nowMs) times.set(each, nowMs)
      else if (nowMs - lastMs > forMs || (forMs === 0 && each !== truths)) times.delete(each)
    }
    if (times.size > HELD_MAX) times.delete(oldest(times))
    return [...times.keys()].sort((a, b) => a - b)
  }
  return {
    observe(window, nowMs) {
      const next = rules.map((_, rule) => observeRule(rule, window, nowMs))
      const changed = next.some((truths, rule) => truths.join() !== effective[rule]?.join())
      effective = next
      return changed
    },
    effective: (rule) => effective[rule] ?? [],
    state: () => rules.map(({ when }, rule) => ({ when, seen: [...(seen[rule] ?? [])] })),
  }
}

function oldest(times: ReadonlyMap<Truths, number>): Truths {
  return [...times].reduce((least, each) => (each[1] < least[1] ? each : least))[0]
}
