// What is known of one service's traffic: its estimate, its window, what its windows hold of the rules, and what is published of them.
import type { ServiceCounts, ServiceInfo, ServiceName, WindowFigures } from '../../protocol/traffic.js'
import type { ServiceDecision } from './decisions.js'
import { createEstimate, type Estimate } from './estimate.js'
import { createWindow, type Window } from './window.js'
import type { RuleBook, ServiceRules } from './rule-book.js'

export interface Traffic {
  /** Of the last step, per second, all of this node. */
  readonly seenPerSecond: number
  readonly keptPerSecond: number
  readonly figures: WindowFigures
}

export interface ServiceState {
  /** Counts of the step that is being gathered: several services may share this state. */
  gather(counts: ServiceCounts): void
  /** Ends the step. `peersInfo`: info records per second of all other nodes. Returns this node's info records per second. */
  step(
    length: { readonly elapsedMs: number; readonly seconds: number },
    peersInfo: number,
    nowMs: number,
  ): number
  decision(): ServiceDecision
  last(): Traffic
  rules(): readonly string[]
  /** Goes on by what was published before a restart, until there is an estimate of its own. */
  seed(decision: ServiceDecision, nowMs: number): void
  /** New lengths of estimate and window, or new rules; what was seen goes. */
  configure(shape: StateShape, nowMs: number): void
}

export interface StateShape {
  readonly estimateSeconds: number
  readonly windowSteps: number
  readonly recordsMin: number
  readonly book: RuleBook
  /** The rules as configured. */
  readonly rulesText: string
}

/** A published estimate stays until the traffic differs from it by more: rates do not tremble with every second's chance. */
const STEADY_SHARE = 0.05

export function createServiceState(initial: StateShape, name: ServiceName): ServiceState {
  let shape = initial
  let estimate: Estimate = createEstimate(shape.estimateSeconds)
  let window: Window = createWindow(shape.windowSteps)
  let rules: ServiceRules = shape.book.service(name)
  let gathered: ServiceCounts[] = []
  let published: number | undefined
  let fresh = true
  let last: Traffic = { seenPerSecond: 0, keptPerSecond: 0, figures: {} }
  return {
    gather: (counts) => void gathered.push(counts),
    step({ elapsedMs, seconds }, peersInfo, nowMs) {
      const sum = (key: 'seen' | 'kept' | 'info') => gathered.reduce((total, at) => total + at[key], 0)
      const perSecond = (count: number) => (count * 1000) / elapsedMs
      const info = perSecond(sum('info'))
      // The step in which a service appears is not a full one.
      if (fresh) fresh = false
      else for (let n = 0; n < seconds; n++) estimate.add(info + peersInfo)
      window.add(gathered)
      for (let n = 1; n < seconds; n++) window.add([])
      const figures = window.figures(shape.recordsMin)
      rules.observe(figures, nowMs)
      last = { seenPerSecond: perSecond(sum('seen')), keptPerSecond: perSecond(sum('kept')), figures }
      published = steady(published, estimate.value())
      gathered = []
      return info
    },
    decision: () => ({ infoPerSecond: published, held: rules.text() }),
    last: () => last,
    rules: () => rules.active(),
    seed({ infoPerSecond, held }, nowMs) {
      published = infoPerSecond
      fresh = false
      rules.seed(held, nowMs)
    },
    configure(next, nowMs) {
      if (next.estimateSeconds !== shape.estimateSeconds) estimate = createEstimate(next.estimateSeconds)
      if (next.windowSteps !== shape.windowSteps) window = createWindow(next.windowSteps)
      if (next.book !== shape.book) {
        rules = next.book.service(name, rules)
        rules.observe(window.figures(next.recordsMin), nowMs)
      }
      shape = next
    },
  }
}

/** Until there is an estimate, what was published stays. Three digits: the text stays short. */
function steady(published: number | undefined, value: number | undefined): number | undefined {
  if (value === undefined) return published
  if (published !== undefined && Math.abs(value - published) <= published * STEADY_SHARE) return published
  return Number(value.toPrecision(3))
}

/** What the other nodes need of a step. */
export function infoOf({ namespace, service }: ServiceName, info: number): ServiceInfo {
  return { namespace, service, info: Math.round(info * 10) / 10 }
}
