// Value types that options share: durations, byte sizes, rates, lists, paths; each error names the accepted form.
import { z } from 'zod'
import { parseBytes, parseDurationMs } from './units.js'

/** What a text stands for beyond its type: paths are resolved, secrets are never printed, durations are shown as such. */
export type ValueKind = 'duration' | 'size' | 'rate' | 'listen' | 'path' | 'glob' | 'secret' | 'comma_list'
export const valueKinds = z.registry<{ readonly kind: ValueKind }>()

interface Bounds {
  readonly min?: string
  readonly max?: string
}
interface Measure {
  readonly kind: 'duration' | 'size'
  readonly wanted: string
  readonly parse: (text: string) => number | undefined
}
const DURATION: Measure = {
  kind: 'duration',
  wanted: 'a duration such as 200ms, 1s, 5m, 2h or 7d',
  parse: parseDurationMs,
}
const SIZE: Measure = { kind: 'size', wanted: 'a size such as 512KiB, 1MiB or 10GiB', parse: parseBytes }

function measured({ kind, wanted, parse }: Measure, fallback: string, { min, max }: Bounds) {
  const least = min === undefined ? 0 : (parse(min) as number)
  const most = max === undefined ? Number.MAX_SAFE_INTEGER : (parse(max) as number)
  const schema = z
    .union([z.number().nonnegative(), z.string()], { error: `expected ${wanted}` })
    .transform((value, context) => {
      const number = typeof value === 'number' ? value : parse(value)
      if (number !== undefined && number >= least && number <= most) return number
      const problem = number === undefined ? wanted : number < least ? `at least ${min}` : `at most ${max}`
      context.addIssue({ code: 'custom', message: `expected ${problem}`, input: value })
      return z.NEVER
    })
  return schema.register(valueKinds, { kind }).default(parse(fallback) as number)
}

/** A duration; the value in code is ms. A bare number in the file is ms. */
export const duration = (fallback: string, bounds: Bounds = {}) => measured(DURATION, fallback, bounds)
/** A size; the value in code is bytes. A bare number in the file is bytes. */
export const size = (fallback: string, bounds: Bounds = {}) => measured(SIZE, fallback, bounds)

const RATE = 'expected a rate from 0 to 1'
/** A share of records that is kept, 0 to 1. */
export const rate = () =>
  z.number({ error: RATE }).min(0, RATE).max(1, RATE).register(valueKinds, { kind: 'rate' })

const LISTEN = /^(\[[0-9a-fA-F:]+\]|[^:\s[\]]+):(\d{1,5})$/
/** `host:port`; port 0 lets the system choose. */
export const listen = (fallback = '127.0.0.1:7701') =>
  z
    .string()
    .refine(
      (value) => Number(LISTEN.exec(value)?.[2] ?? 65_536) <= 65_535,
      'expected host:port such as 127.0.0.1:7700',
    )
    .register(valueKinds, { kind: 'listen' })
    .default(fallback)

const text = () => z.string().min(1, 'expected a text that is not empty')
/** A file or folder; a relative one is resolved against the folder of the configuration file. */
export const path = () => text().register(valueKinds, { kind: 'path' })
/** A glob over files, resolved like a path. */
export const glob = () => text().register(valueKinds, { kind: 'glob' })
/** A text that is never printed. */
export const secret = () => text().register(valueKinds, { kind: 'secret' })

/** A list, or one text with commas (as an environment variable gives it); empty parts are left out. */
export const commaList = () =>
  z
    .union([z.array(z.string()), z.string(), z.null()], { error: 'expected a list, or one text with commas' })
    .transform((value) =>
      (Array.isArray(value) ? value : (value ?? '').split(','))
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .register(valueKinds, { kind: 'comma_list' })

/** A regular expression of JavaScript, checked where it is configured and not where it is first used. */
export const regularExpression = () =>
  text().refine((value) => {
    try {
      return new RegExp(value) instanceof RegExp
    } catch {
      return false
    }
  }, 'expected a regular expression')
