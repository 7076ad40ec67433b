// What a reader of a simulation must know: what was assumed, what could not be read, what the figures are.
import type { FileIdentity } from './identity.js'
import type { Input, InputFile } from './input.js'
import { OPEN_FILES_MAX } from './merge.js'
import { whole } from '../volume/text.js'

export interface Noted {
  readonly input: Input
  readonly identities: readonly (readonly [InputFile, FileIdentity])[]
  readonly broken: readonly string[]
  readonly clocks: { readonly untimed: number; readonly late: number; readonly wild: number }
  readonly overweight: number
  readonly assumedMs: number | undefined
  /** All lines are of the same second. */
  readonly momentary: boolean
  readonly malformed: number
  readonly spanGiven: boolean
  /** From the first line to the last. */
  readonly coveredMs: number
}

/** The first seconds of every service weigh little beside more. */
const LONG_MS = 600_000

export function notesOf(noted: Noted): string[] {
  const { input, clocks, broken, identities } = noted
  const notes = [
    'records in are counted; records kept are the sum of their rates, so that what is kept by chance counts as its average',
    'bytes in are those of the lines, bytes kept those of the records as they are written, before compression',
  ]
  const say = (when: boolean, text: string): void => void (when && notes.push(text))
  const files = (all: readonly string[]) =>
    all.length > 3 ? `${all.slice(0, 3).join(', ')} and ${all.length - 3} more` : all.join(', ')
  say(
    input.files.some(({ archived }) => archived),
    'the archive holds what was kept: each record counts 1 / sample_rate times, and what was never kept (a rate of 0) is not in it',
  )
  say(
    noted.coveredMs < LONG_MS,
    'a service is kept in full for its first 4 s, until its traffic is known: an input of minutes shows more than a day would',
  )
  say(
    noted.assumedMs !== undefined,
    noted.spanGiven
      ? 'no line says its time: the lines are spread evenly over --span'
      : "no line says its time: the input is taken as one day's, spread evenly; --span 1h says otherwise",
  )
  say(
    clocks.untimed > 0 && noted.assumedMs === undefined,
    `lines that say no time: ${whole(clocks.untimed)}; each counts as written with the line before it (a file without any is spread evenly over the rest)`,
  )
  say(clocks.late > 0, `lines that came late: ${whole(clocks.late)}; they count when their file came to them`)
  say(
    clocks.wild > 0,
    `lines that say a time more than 1 h after all around them, which was not believed: ${whole(clocks.wild)}`,
  )
  say(
    noted.momentary && !noted.spanGiven,
    'all lines are of the same second: a day is 86,400 times that, which says little; --span 1h says how long they took',
  )
  say(
    noted.malformed > 0,
    `lines that are not as a container runtime writes them, and are read without its time: ${whole(noted.malformed)}`,
  )
  say(
    noted.overweight > 0,
    `archived records that stand for more than 100,000, and count as that: ${whole(noted.overweight)}`,
  )
  say(input.empty.length > 0, `empty: ${files(input.empty)}`)
  for (const problem of input.broken) notes.push(`${problem}; no line of it could be read`)
  for (const problem of broken) notes.push(`${problem}; what came before was read`)
  const assumed = new Set(identities.flatMap(([, { assumed: name }]) => (name === undefined ? [] : [name])))
  for (const name of assumed) notes.push(`files that no source names are read as those of source ${name}`)
  const unread = identities.filter(([, { origin }]) => origin === undefined).map(([{ path }]) => path)
  say(unread.length > 0, `not read, the source leaves their namespace out: ${files(unread)}`)
  say(
    input.files.length > OPEN_FILES_MAX,
    `of files that overlap in time ${OPEN_FILES_MAX} are read at once; those that begin later wait`,
  )
  return notes
}
