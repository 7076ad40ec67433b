// The options of a benchmark: declared once, read from the command line, shown by --help.
import { parseArgs } from 'node:util'
import { parseDurationMs } from '../../protocol/config/units.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'

export interface OptionDeclaration {
  /** What its value is called in the help; left out: a switch. */
  readonly value?: string
  readonly default?: string
  /** Instead of the default with --quick: seconds instead of minutes. */
  readonly quick?: string
  readonly text: string
}

export type Declarations = Readonly<Record<string, OptionDeclaration>>

export interface Options {
  has(name: string): boolean
  text(name: string): string
  /** Throws `usage.bench` below `least` (0), above `most`, or for what is no finite number. */
  number(name: string, least?: number, most?: number): number
  /** A whole number. Throws as `number` does. */
  count(name: string, least?: number, most?: number): number
  /** In ms, more than none. Throws `usage.bench` for what is no duration. */
  durationMs(name: string): number
  /** `1,10,100`. Throws as `number` does. */
  numbers(name: string, least?: number): readonly number[]
  /** As given and as defaulted, for the report. */
  all(): Readonly<Record<string, string | boolean>>
}

interface Bounds {
  readonly least?: number | undefined
  readonly most?: number | undefined
  readonly isWhole?: boolean
}

/** Throws `usage.bench` for an unknown option or a missing value. */
export function readOptions(declared: Declarations, words: readonly string[], of: string): Options {
  const values = parse(declared, words, of)
  const quick = values['quick'] === true
  const valueOf = (name: string): string | boolean | undefined => {
    const option = declared[name]
    return values[name] ?? (quick ? (option?.quick ?? option?.default) : option?.default)
  }
  const toNumber = (
    name: string,
    text: string,
    { least = 0, most = Number.MAX_VALUE, isWhole = false }: Bounds,
  ): number => {
    const number = Number(text)
    const fits = number >= least && number <= most && (!isWhole || Number.isSafeInteger(number))
    if (text.trim() !== '' && fits) return number
    const upTo = most === Number.MAX_VALUE ? '' : ` and at most ${most}`
    throw new MillraceError(
      'usage.bench',
      `--${name}: got "${text}", expected a ${isWhole ? 'whole ' : ''}number of at least ${least}${upTo}`,
    )
  }
  const text = (name: string): string => {
    const value = valueOf(name)
    if (typeof value === 'string') return value
    throw new MillraceError('usage.bench', `${of} needs --${name}: ${declared[name]?.text ?? ''}`)
  }
  return {
    has: (name) => valueOf(name) !== undefined && valueOf(name) !== false,
    text,
    number: (name, least, most) => toNumber(name, text(name), { least, most }),
    count: (name, least, most) => toNumber(name, text(name), { least, most, isWhole: true }),
    durationMs(name) {
      const ms = parseDurationMs(text(name))
      if (ms !== undefined && ms > 0) return ms
      throw new MillraceError(
        'usage.bench',
        `--${name}: got "${text(name)}", expected a duration of more than none, such as 30s or 10m`,
      )
    },
    numbers: (name, least) =>
      text(name)
        .split(',')
        .map((part) => toNumber(name, part, { least })),
    all: () =>
      Object.fromEntries(
        Object.keys(declared).flatMap((name) => {
          const value = valueOf(name)
          return value === undefined || value === false ? [] : [[name, value]]
        }),
      ),
  }
}

function parse(
  declared: Declarations,
  words: readonly string[],
  of: string,
): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    Object.entries(declared).map(([name, { value }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  try {
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: false }).values as Record<
      string,
      string | boolean | undefined
    >
  } catch (cause) {
    const [reason] = saidOf(cause).split('. ')
    throw new MillraceError('usage.bench', `${of}: ${reason}; see \`${of} --help\``, { cause })
  }
}

export function optionLines(declared: Declarations): string[] {
  const entries = Object.entries(declared).map(([name, option]) => {
    const head = `--${name}${option.value === undefined ? '' : ` <${option.value}>`}`
    const quick = option.quick === undefined ? '' : `, with --quick ${option.quick}`
    const fallback = option.default === undefined ? '' : ` (default ${option.default}${quick})`
    return [head, `${option.text}${fallback}`] as const
  })
  const width = Math.max(0, ...entries.map(([head]) => head.length))
  return entries.map(([head, text]) => `  ${head.padEnd(width)}  ${text}`)
}
