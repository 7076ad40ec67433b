// A sampling section on its own: from a reload, `ctl` or NATS, checked like the one of the file; and what its schema alone cannot tell.
import { z } from 'zod'
import { planFields } from '../../kernel/fields.js'
import { sampling, type SamplingOptions } from '../../protocol/config/sampling.js'
import { MillraceError } from '../../protocol/errors.js'
import { compileRules, ruleName } from '../../protocol/sampling/rules.js'
import { SETTINGS_BYTES_MAX } from '../live-settings.js'
import { explain } from './explain.js'
import type { Environment } from './substitute.js'

interface Finding {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

const whole = z.strictObject({ sampling })

/** Defaults filled in. Throws `config.sampling` with every problem, a line each. `section` is what the YAML or JSON holds beneath `sampling`. */
export function checkSampling(section: unknown, env: Environment = process.env): SamplingOptions {
  const raw = withDebugServices({ sampling: section ?? undefined }, env)
  const parsed = whole.safeParse(raw)
  const problems = parsed.success
    ? samplingFindings(parsed.data.sampling)
    : parsed.error.issues.flatMap((issue) => explain(whole, issue, raw))
  if (parsed.success && problems.length === 0) return parsed.data.sampling
  throw new MillraceError('config.sampling', problems.map(({ message }) => message).join('\n'))
}

/** Rules that do not parse or that a name does not tell apart, field names that the kernel has no room for, and more than shared memory holds. */
export function samplingFindings(section: SamplingOptions): Finding[] {
  const { rules, fields } = section
  const bytes = Buffer.byteLength(JSON.stringify(section))
  if (bytes > SETTINGS_BYTES_MAX) {
    const text = `sampling: the section takes ${bytes} bytes as JSON, which exceeds ${SETTINGS_BYTES_MAX} bytes; name fewer services and rules`
    return [{ path: ['sampling'], message: text }]
  }
  const found = rules.flatMap((rule, at): Finding[] => {
    const message = refusal(() => compileRules([rule]))
    if (message === undefined) return []
    const path = ['sampling', 'rules', at, 'when']
    return [{ path, message: `sampling.rules[${at}].when: ${message}` }]
  })
  found.push(...namedTwice(section))
  const latency = Object.entries(fields.latency).map(([path, unit]) => ({ path, unit }))
  const message = refusal(() => planFields({ status: fields.status, latency }))
  if (message === undefined) return found
  return [...found, { path: ['sampling', 'fields'], message: `sampling.fields: ${message}` }]
}

/** Verdicts and metrics name a rule; one without a name is called by its place. */
function namedTwice({ rules }: SamplingOptions): Finding[] {
  const names = rules.map(({ name }, at) => ruleName(name, at))
  return names.flatMap((name, at): Finding[] => {
    const first = names.indexOf(name)
    if (first === at) return []
    // The one that has the name written is the one to change.
    const written = rules[at]?.name === undefined ? first : at
    const message = `sampling.rules[${written}].name: ${JSON.stringify(name)} is also sampling.rules[${first + at - written}]; choose another name`
    return [{ path: ['sampling', 'rules', written, 'name'], message }]
  })
}

/** What of the rules is legal and yet does nothing. */
export function ruleNotes({ rules }: SamplingOptions): Finding[] {
  return compileRules(rules).notes.map((note) => ({
    path: ['sampling', 'rules'],
    message: `sampling.rules: ${note}`,
  }))
}

function refusal(check: () => unknown): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    const coded = error instanceof Error && 'code' in error
    if (!coded || !['config.rule', 'kernel.fields'].includes(String(error.code))) throw error
    // The rule's name: the place says which one it is.
    return error.message.replace(/^[^:]*: (?=column )/, '')
  }
}

/** Where the section does not name them, DEBUG_SERVICES does: debugging a service takes no edit of the file. */
export function withDebugServices(raw: unknown, env: Environment): unknown {
  const names = env.DEBUG_SERVICES?.trim() ?? ''
  if (names === '' || !isMap(raw)) return raw
  const section = raw.sampling ?? {}
  if (!isMap(section) || section.debug_services !== undefined) return raw
  return { ...raw, sampling: { ...section, debug_services: names } }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
