// The options of a benchmark: declared once, read from the command line, shown by --help.
import { parseArgs } from 'node:util'
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
  /** Throws `usage.bench` below `least` or for what is no number. */
  number(name: string, least?: number): number
  /** `1,10,100`. Throws as `number` does. */
  numbers(name: string): readonly number[]
  /** As given and as defaulted, for the report. */
  all(): Readonly<Record<string, string | boolean>>
}

/** Throws `usage.bench` for an unknown option or a missing value. */
export function readOptions(declared: Declarations, words: readonly string[], of: string): Options {
  const values = parse(declared, words, of)
  const quick = values['quick'] === true
  const valueOf = (name: string): string | boolean | undefined => {
    const option = declared[name]
    return values[name] ?? (quick ? (option?.quick ?? option?.default) : option?.default)
  }
  const toNumber = (name: string, text: string, least: number): number => {
    const number = Number(text)
    if (text.trim() !== '' && number >= least) return number
    throw new MillraceError('usage.bench', `--${name}: got "${text}", expected a number of at least ${least}`)
  }
  const text = (name: string): string => {
    const value = valueOf(name)
    if (typeof value === 'string') return value
    throw new MillraceError('usage.bench', `${of} needs --${name}: ${declared[name]?.text ?? ''}`)
  }
  return {
    has: (name) => valueOf(name) !== undefined && valueOf(name) !== false,
    text,
    number: (name, least = 0) => toNumber(name, text(name), least),
    numbers: (name) =>
      text(name)
        .split(',')
        .map((part) => toNumber(name, part, 0)),
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
