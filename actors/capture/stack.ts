// Cuts the stack trace out of the last lines of stderr: from the line that a dying runtime writes first to the end of what belongs to it.
import type { PanicLanguage } from '../../protocol/messages.js'
import { PANIC_LINES } from '../parse/panics.js'
import type { StderrLine } from './stderr-tail.js'

export interface Stack {
  readonly language: PanicLanguage
  readonly text: string
}

const LINES_MAX = 2000
/** Node says what it is only at the end: the trace is what came just before. */
const NODE_BACK_LINES = 200
const NODE_BACK_MS = 1000

/** The last trace in these lines (oldest first); undefined when there is none. */
export function findStack(lines: readonly StderrLine[]): Stack | undefined {
  for (let at = lines.length - 1; at >= 0; at--) {
    const language = languageOf((lines[at] as StderrLine).text)
    if (language === undefined) continue
    const [from, to] = rangeOf(lines, firstOf(lines, at, language), language)
    const text = lines
      .slice(from, Math.min(to, from + LINES_MAX))
      .map((line) => line.text)
      .join('\n')
    return { language, text: `${text}\n` }
  }
  return undefined
}

export function languageOf(text: string): PanicLanguage | undefined {
  const found = PANIC_LINES.find(({ begins }) => text.startsWith(begins))
  if (found?.language === 'rust' && !/' (?:\(\d+\) )?panicked at /.test(text)) return undefined
  return found?.language
}

/** Chained traces (`During handling of …`, `Caused by`, a panic in a panic) belong together: the first line of the chain. */
function firstOf(lines: readonly StderrLine[], at: number, language: PanicLanguage): number {
  const last = lines[at] as StderrLine
  let first = at
  for (let before = at - 1; before >= 0; before--) {
    const line = lines[before] as StderrLine
    if (last.atMs - line.atMs > NODE_BACK_MS || line.container !== last.container) break
    if (languageOf(line.text) === language) first = before
  }
  return first
}

function rangeOf(lines: readonly StderrLine[], at: number, language: PanicLanguage): [number, number] {
  if (language !== 'node') return [at, endOf(lines, at)]
  const { atMs } = lines[at] as StderrLine
  let from = at
  while (
    from > 0 &&
    at - from < NODE_BACK_LINES &&
    atMs - (lines[from - 1] as StderrLine).atMs <= NODE_BACK_MS
  )
    from--
  return [from, endOf(lines, at)]
}

/** All that came within a second after the line before it: a trace is written in one go. */
function endOf(lines: readonly StderrLine[], at: number): number {
  const { container } = lines[at] as StderrLine
  let end = at + 1
  for (; end < lines.length; end++) {
    const line = lines[end] as StderrLine
    if (line.container !== container) break
    if (line.atMs - (lines[end - 1] as StderrLine).atMs > NODE_BACK_MS) break
  }
  return end
}
