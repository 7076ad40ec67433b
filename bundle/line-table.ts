// Which line of which source each place in a bundle comes from: worked out of its source map when it is built, so that a stack costs a look-up.
export interface LineTable {
  readonly sources: readonly string[]
  /** Ascending, three numbers each time the source's line changes: line and column of the bundle, then source and line in 16 bits each. All from 0. */
  readonly changes: Uint32Array
}

/** What is read of a source map, https://tc39.es/ecma426/ */
export interface SourceMapJson {
  readonly sources: readonly string[]
  readonly mappings: string
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PART_MAX = 0xffff

/** Throws when there are more sources, or a source has more lines, than a table holds. */
export function tableOf({ sources, mappings }: SourceMapJson): LineTable {
  const changes: number[] = []
  let [source, line, last] = [0, 0, -1]
  for (const [at, text] of mappings.split(';').entries()) {
    let column = 0
    for (const segment of text.split(',')) {
      const [columnStep = 0, sourceStep, lineStep = 0] = numbersOf(segment)
      column += columnStep
      if (sourceStep === undefined) continue
      source += sourceStep
      line += lineStep
      if (source > PART_MAX || line > PART_MAX) throw new Error(`${sources[source]}: too many lines or files`)
      const place = source * (PART_MAX + 1) + line
      if (place !== last) changes.push(at, column, place)
      last = place
    }
  }
  return { sources, changes: Uint32Array.from(changes) }
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

/** `file:line` of a place in the bundle, both from 1 as in a stack; undefined where nothing is its source. */
export function sourceOf({ sources, changes }: LineTable, line: number, column: number): string | undefined {
  let [low, high] = [0, changes.length / 3]
  while (low < high) {
    const middle = (low + high) >>> 1
    const after = (changes[3 * middle] ?? 0) - (line - 1) || (changes[3 * middle + 1] ?? 0) - (column - 1)
    if (after > 0) high = middle
    else low = middle + 1
  }
  const place = changes[3 * low - 1]
  if (place === undefined) return undefined
  return `${sources[Math.floor(place / (PART_MAX + 1))]}:${(place % (PART_MAX + 1)) + 1}`
}
