// Which line of which source each line of a bundle comes from: worked out of its source map when it is built, so that a stack costs a look-up.
export interface LineTable {
  readonly sources: readonly string[]
  /** For each line of the bundle: its source's number plus one, and the line there; both 0: of no source. */
  readonly lines: Uint16Array
}

/** What is read of a source map, https://tc39.es/ecma426/ */
export interface SourceMapJson {
  readonly sources: readonly string[]
  readonly mappings: string
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const LINE_MAX = 0xffff

/** The first position of each line counts. Throws when a source has more lines than a table holds. */
export function tableOf({ sources, mappings }: SourceMapJson): LineTable {
  const texts = mappings.split(';')
  const lines = new Uint16Array(2 * texts.length)
  let [source, line] = [0, 0]
  for (const [at, text] of texts.entries()) {
    for (const segment of text.split(',')) {
      const [, sourceStep, lineStep] = numbersOf(segment)
      if (sourceStep === undefined || lineStep === undefined) continue
      source += sourceStep
      line += lineStep
      if (lines[2 * at] !== 0) continue
      if (source >= LINE_MAX || line >= LINE_MAX)
        throw new Error(`${sources[source]}: too many lines or files`)
      lines[2 * at] = source + 1
      lines[2 * at + 1] = line + 1
    }
  }
  return { sources, lines }
}

/** Base64 of five bits a digit, the lowest first; the lowest bit of a number is its sign. */
function numbersOf(segment: string): number[] {
  const numbers: number[] = []
  let [value, shift] = [0, 0]
  for (const letter of segment) {
    const digit = DIGITS.indexOf(letter)
    value |= (digit & 31) << shift
    shift += 5
    if ((digit & 32) !== 0) continue
    numbers.push((value & 1) === 0 ? value >> 1 : -(value >> 1))
    ;[value, shift] = [0, 0]
  }
  return numbers
}

/** `file:line`, or undefined where the bundle's own line (from 1) has no source. */
export function sourceOf({ sources, lines }: LineTable, line: number): string | undefined {
  const source = sources[(lines[2 * (line - 1)] ?? 0) - 1]
  return source === undefined ? undefined : `${source}:${lines[2 * (line - 1) + 1]}`
}
