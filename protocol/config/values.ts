// Value types that options share: durations, byte sizes, rates, lists; each error names the value and the accepted form.
import { z } from 'zod'

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  kib: 1024,
  mb: 1_000_000,
  mib: 1024 ** 2,
  gb: 1_000_000_000,
  gib: 1024 ** 3,
}

/** Parses `200ms`, `1s`, `5m`, `2h`, `7d` (or a number of ms) to ms; undefined when it is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim())
  if (match === null) return undefined
  return Math.round(Number(match[1]) * (DURATION_UNITS[match[2] as string] as number))
}

/** Parses `512KiB`, `10GiB`, `1MB` (or a number of bytes) to bytes; undefined when it is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim())
  const unit = match === null ? undefined : SIZE_UNITS[(match[2] as string).toLowerCase()]
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit)
}

function parsed(parse: (text: string) => number | undefined, wanted: string) {
  return z.union([z.number().nonnegative(), z.string()], { error: `expected ${wanted}` }).transform((value, context) => {
    const number = typeof value === 'number' ? value : parse(value)
    if (number !== undefined) return number
    context.addIssue({ code: 'custom', message: `expected ${wanted}`, input: value })
    return z.NEVER
  })
}

/** A duration; the value in code is ms. */
export const duration = (fallback: string) =>
  parsed(parseDurationMs, 'a duration such as 200ms, 1s, 5m, 2h or 7d').default(parseDurationMs(fallback) as number)
/** A size; the value in code is bytes. */
export const size = (fallback: string) =>
  parsed(parseBytes, 'a size such as 512KiB, 1MiB or 10GiB').default(parseBytes(fallback) as number)
/** A share of records that is kept, 0 to 1. */
export const rate = () => z.number({ error: 'expected a rate from 0 to 1' }).min(0, 'expected a rate from 0 to 1').max(1, 'expected a rate from 0 to 1')
/** `host:port`. */
export const listen = (fallback?: string) => {
  const schema = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, 'expected host:port such as 127.0.0.1:7700')
  return fallback === undefined ? schema.default('127.0.0.1:7701') : schema.default(fallback)
}
/** A list, or one text with commas (as an environment variable gives it); empty parts are left out. */
export const commaList = () =>
  z
    .union([z.array(z.string()), z.string(), z.null()])
    .transform((value) =>
      (Array.isArray(value) ? value : (value ?? '').split(',')).map((part) => part.trim()).filter((part) => part !== ''),
    )
