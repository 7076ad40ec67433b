// Compiles the rules of a configuration, so that a step's decision for a stream is a rate, or a rate and a table by status code.
import { MillraceError } from '../errors.js'
import { LOG_TYPES } from '../levels.js'
import { parseRule, type RuleExpression } from './dsl.js'
import { type BaseInput, createDecider, type Decision, rateOfRule } from './rule-claims.js'
import { createHeld, type Held, type HeldState } from './rule-held.js'
import type { StreamFacts, WindowMetrics } from './rule-evaluate.js'
import { type PreparedRule, prepareRule } from './rule-prepare.js'
import { printRule } from './rule-print.js'
import { ruleDurationMs } from './rule-values.js'
import { hasStatus, STATUS_ABSENT } from './status-set.js'

export type { Decision } from './rule-claims.js'
export type { Held, HeldState } from './rule-held.js'
export type { StreamFacts, WindowMetrics } from './rule-evaluate.js'

export const RULES_MAX = 256
const UNTOUCHED: Decision = {}

/** A rule as the configuration has it. */
export interface RuleOptions {
  readonly name?: string | undefined
  readonly when: string
  /** Rate 0 … 1 while it holds; default 1. */
  readonly keep?: number | undefined
  /** Of the rules that hold, the one of highest weight decides, of those the one that keeps most; default 0. */
  readonly weight?: number | undefined
  /** How long it outlives its condition: ms, or a text such as `30s`; default 0. */
  readonly for?: number | string | undefined
}

export interface CompiledRule {
  /** Place in the configuration. */
  readonly index: number
  /** `rule 1`, … where the configuration gives none. */
  readonly name: string
  /** In canonical form. */
  readonly when: string
  readonly expression: RuleExpression
  readonly keep: number
  readonly weight: number
  readonly forMs: number
  readonly prepared: PreparedRule
}

/** `baseRate` is the stream's rate without rules: tier, service or live. */
export interface DecideInput extends BaseInput {
  readonly window: WindowMetrics | undefined
  /** The service's, which has observed its last window; undefined: `window` alone counts. */
  readonly held?: Held | undefined
}

export interface RuleSet {
  readonly rules: readonly CompiledRule[]
  /** Some rule asks for status codes: the kernel must be told the fields. */
  readonly usesStatus: boolean
  /** Some rule asks for a window's metrics. */
  readonly usesWindow: boolean
  /** What is configured without an effect, for the log. */
  readonly notes: readonly string[]
  /** The memory of `for` of one service; `before` is that of a Held for other rules or before a restart. */
  createHeld(before?: HeldState): Held
  decide(input: DecideInput): Decision
  /** As decide, for many base rates: may be kept as long as what `input` has of windows stays as it is. */
  decider(input: Omit<DecideInput, 'baseRate'>): (baseRate: number) => Decision
  /** The rule that decides about one record, and the rate it gives; undefined: none. */
  explain(
    input: DecideInput,
    status: number | undefined,
  ): { readonly rule: CompiledRule; readonly rate: number } | undefined
}

/** Throws `config.rule` naming the rule, the column and what was expected. */
export function compileRules(options: readonly RuleOptions[]): RuleSet {
  if (options.length > RULES_MAX) {
    throw new MillraceError(
      'config.rule',
      `there are ${options.length} rules; at most ${RULES_MAX} are taken`,
    )
  }
  const rules = options.map(compileRule)
  const byPriority = [...rules].sort((a, b) => b.weight - a.weight || b.keep - a.keep || a.index - b.index)
  const effective = (rule: CompiledRule, input: Omit<DecideInput, 'baseRate'>): readonly number[] => {
    // What is held has the last window in it, if it has seen one.
    const held = input.held?.effective(rule.index) ?? []
    return held.length > 0 ? held : [rule.prepared.windowTruths(input.window)]
  }
  const forMetric = byPriority.filter(({ prepared }) => prepared.namesLogType)
  const deciders = { app: createDecider(byPriority, effective), metric: createDecider(forMetric, effective) }
  const decider = (input: Omit<DecideInput, 'baseRate'>) => {
    const type = logTypeOf(input)
    return type === 'audit' ? () => UNTOUCHED : deciders[type](input)
  }
  return {
    rules,
    usesStatus: rules.some(({ prepared }) => prepared.usesStatus),
    usesWindow: rules.some(({ prepared }) => prepared.windowComparisons > 0),
    notes: rules.flatMap(notesOf),
    createHeld: (before) => createHeld(rules, before),
    decide: (input) => decider(input)(input.baseRate),
    decider,
    explain(input, status) {
      const type = logTypeOf(input)
      if (type === 'audit') return undefined
      const holds = (rule: CompiledRule): boolean =>
        effective(rule, input).some((window) =>
          hasStatus(
            rule.prepared.residue(window, rule.prepared.streamTruths(input)),
            status ?? STATUS_ABSENT,
          ),
        )
      const rule = (type === 'metric' ? forMetric : byPriority).find(holds)
      return rule === undefined ? undefined : { rule, rate: rateOfRule(rule, input) }
    },
  }
}

/** By its place where the configuration gives none. */
export function ruleName(name: string | undefined, index: number): string {
  return name ?? `rule ${index + 1}`
}

function compileRule(options: RuleOptions, index: number): CompiledRule {
  const name = ruleName(options.name, index)
  const fail = (problem: string): never => {
    throw new MillraceError('config.rule', `${name}: ${problem}`)
  }
  const { keep = 1, weight = 0 } = options
  const forMs = typeof options.for === 'string' ? ruleDurationMs(options.for.trim()) : (options.for ?? 0)
  if (!(keep >= 0 && keep <= 1)) fail(`keep is ${keep}; expected a rate from 0 to 1`)
  if (!Number.isFinite(weight)) fail(`weight is ${weight}; expected a number`)
  if (forMs === undefined || !(forMs >= 0)) {
    return fail(`for is ${JSON.stringify(options.for)}; expected a duration such as 30s or 5m`)
  }
  const expression = parseNamed(options.when, name)
  const when = printRule(expression)
  return { index, name, when, expression, keep, weight, forMs, prepared: prepareRule(expression) }
}

function parseNamed(when: string, name: string): RuleExpression {
  try {
    return parseRule(when)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    throw new MillraceError(error.code, `${name}: ${error.message.replace(/^rule: /, '')}`, { cause: error })
  }
}

function notesOf({ name, forMs, prepared }: CompiledRule): string[] {
  return forMs > 0 && prepared.windowComparisons === 0
    ? [`${name}: for has no effect, since the condition asks for no metric of a window, such as error_rate`]
    : []
}

/** No rule is for audit records, and for those of type metric, which have a rate of their own, only one that names log_type. */
function logTypeOf({ logType }: StreamFacts): (typeof LOG_TYPES)[number] {
  return LOG_TYPES[logType] ?? 'app'
}
