// The rules of the settings as the traffic and the sampler use them: what a service's windows hold in force, as a short text between them.
import { createHash } from 'node:crypto'
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import { LEVELS, LOG_TYPES } from '../../protocol/levels.js'
import { comparisonsOf, type Metric } from '../../protocol/sampling/rule-ast.js'
import type { Held, HeldState } from '../../protocol/sampling/rule-held.js'
import { type CompiledRule, compileRules, type RuleSet } from '../../protocol/sampling/rules.js'
import type { ServiceName, WindowFigures } from '../../protocol/traffic.js'

const APP = LOG_TYPES.indexOf('app')
const METRIC = LOG_TYPES.indexOf('metric')

export interface RuleBook {
  /** Names the conditions in their order: a text of what is held means nothing to other ones. */
  readonly key: string
  readonly set: RuleSet
  /** Names that rules ask for; services with names that are not among them are alike to all rules. */
  readonly named: { readonly services: ReadonlySet<string>; readonly namespaces: ReadonlySet<string> }
  /** The memory of one service; `before` is that of the rules before these. */
  service(name: ServiceName, before?: ServiceRules): ServiceRules
}

export interface ServiceRules {
  observe(figures: WindowFigures, nowMs: number): void
  /** '' when no rule asks for a window. */
  text(): string
  /** Names of the rules that hold for some records of the service because of its windows, of now or within `for`. */
  active(): readonly string[]
  /** Goes on by a text from before a restart: what it holds counts as seen now. */
  seed(text: string, nowMs: number): void
  state(): HeldState
}

/** Throws `config.rule`; the main thread has compiled the same rules before it published them. */
export function createRuleBook({ rules }: Pick<SamplingOptions, 'rules'>): RuleBook {
  const set = compileRules(rules)
  const conditions = JSON.stringify(set.rules.map(({ when }) => when))
  return {
    key: createHash('sha256').update(conditions).digest('base64url').slice(0, 16),
    set,
    named: { services: namesIn(set, 'service_name'), namespaces: namesIn(set, 'namespace') },
    service: (name, before) => serviceRules(set, name, before?.state()),
  }
}

function namesIn(set: RuleSet, metric: Metric): ReadonlySet<string> {
  const comparisons = set.rules.flatMap(({ expression }) => comparisonsOf(expression))
  return new Set(comparisons.flatMap((each) => (each.metric === metric ? each.values.map(String) : [])))
}

function serviceRules(set: RuleSet, name: ServiceName, before?: HeldState): ServiceRules {
  let held = set.createHeld(before)
  /** Stands until the first window after a restart. */
  let seeded: string | undefined
  return {
    observe(figures, nowMs) {
      seeded = undefined
      if (set.usesWindow) held.observe(figures, nowMs)
    },
    text() {
      if (!set.usesWindow) return ''
      return seeded ?? set.rules.map(({ index }) => held.effective(index).join(',')).join(';')
    },
    active: () => set.rules.filter((rule) => isActive(rule, held, name)).map((rule) => rule.name),
    seed(text, nowMs) {
      const from = heldFrom(text)
      if (from === undefined) return
      seeded = text
      held = set.createHeld(
        set.rules.map(({ index, when }) => ({
          when,
          seen: from.effective(index).map((truths) => [truths, nowMs] as const),
        })),
      )
    },
    state: () => held.state(),
  }
}

/** What a text holds, for `decide`; undefined for ''. */
export function heldFrom(text: string): Held | undefined {
  if (text === '') return undefined
  const rules = text.split(';').map((truths) => (truths === '' ? [] : truths.split(',').map(Number)))
  return { observe: () => false, effective: (rule) => rules[rule] ?? [], state: () => [] }
}

function isActive(
  { index, prepared }: CompiledRule,
  held: Held,
  { namespace, service }: ServiceName,
): boolean {
  if (prepared.windowComparisons === 0) return false
  const types = prepared.namesLogType ? [APP, METRIC] : [APP]
  return types.some((logType) =>
    LEVELS.some((_, level) => {
      const stream = prepared.streamTruths({ service, namespace, level, logType })
      return held.effective(index).some((truths) => prepared.byWindow(truths, stream))
    }),
  )
}
