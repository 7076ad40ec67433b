// What is wrong with a configuration: each problem with its place, all of them told at once in the order of the file.
import { MillraceError } from '../../protocol/errors.js'

export interface Problem {
  readonly code: `config.${string}`
  /** 1-based; 0 where the problem has no place in the file. */
  readonly line: number
  readonly column: number
  readonly message: string
}

/** So many problems are told at once; a file with more is likely something else altogether. */
const PROBLEMS_MAX = 20

/** One error for all problems, sorted by line; its code is the first problem's. */
export function problemsError(file: string, problems: readonly Problem[]): MillraceError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const lines = sorted.slice(0, PROBLEMS_MAX).map((problem) => placed(file, problem))
  const more = sorted.length - lines.length
  if (more > 0) lines.push(`${file}: and ${more} more ${more === 1 ? 'problem' : 'problems'}`)
  return new MillraceError(sorted[0]?.code ?? 'config.invalid', lines.join('\n'))
}

function placed(file: string, { line, column, message }: Problem): string {
  return line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`
}

/** `sources.app.include[0]`; a key with other characters is quoted. */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => {
    if (typeof key === 'number') return `[${key}]`
    return /^[\w-]+$/.test(String(key)) ? `.${String(key)}` : `.${JSON.stringify(String(key))}`
  })
  return text.join('').replace(/^\./, '')
}
