// The text that `millrace audit` prints.
import type { LoggedEvent } from '../../actors/auditor/audit-log.js'
import { printable, table, whole } from '../text-table.js'
import type { FrameResult } from './frame.js'
import type { AuditRunResult } from './run.js'
import { type SharedState, sharedText } from './shared.js'

const NUMBERS_SHOWN = 10
/** The last column is text. */
const TEXT_FROM = 5
const EVENTS_SHOWN = 20

export function runText(result: AuditRunResult): string {
  const { frames, records, agreed, repaired, unsure, postponed, differs, tookMs } = result
  const queries = Object.values(result.backends).reduce((sum, backend) => sum + backend.queries, 0)
  const lines = [
    `checked ${whole(frames)} frames with ${whole(records)} records, ${whole(result.compared)} records byte for byte, in ${(tookMs / 1000).toFixed(1)} s and ${whole(queries)} queries`,
    `agreed ${whole(agreed)}, repaired ${whole(repaired)}, not shown by Loki yet ${whole(unsure)}, postponed ${whole(postponed)}, differing ${whole(differs)}`,
    '',
    ...table(
      [
        ['backend', 'missing', 'copies', 'altered', 'queries', 'sent again'],
        ...Object.entries(result.backends).map(([name, { missing, extra, altered, queries: asked }]) => [
          name,
          whole(missing),
          whole(extra),
          whole(altered),
          whole(asked),
          Object.entries(result.repairs[name] ?? {})
            .map(([from, sent]) => `${whole(sent)} from ${from}`)
            .join(', '),
        ]),
      ],
      TEXT_FROM,
    ),
  ]
  if (result.unacknowledged > 0)
    lines.push('', `${whole(result.unacknowledged)} frames are not acknowledged by every backend yet`)
  if (result.onTheirWay > 0)
    lines.push(
      '',
      `${whole(result.onTheirWay)} frames of the last minute are on their way and were not checked`,
    )
  if (result.reasons.length > 0) lines.push('', ...result.reasons.map(printable))
  if (result.interrupted) lines.push('', 'interrupted: not all frames were checked')
  if (result.unreadable > 0) {
    const text = `${whole(result.unreadable)} frames of the journal are lost to damage and were not compared: a backend that had not got them lacks them`
    lines.push('', text)
  }
  lines.push('', verdict(result))
  if (!result.withArchive)
    lines.push(
      "only frames in the journal and in the audit's queue were compared; --archive takes those of the archive too",
    )
  return lines.join('\n')
}

function verdict(result: AuditRunResult): string {
  if (result.differs > 0) return 'NOT every backend holds every record'
  if (!result.whole) return 'NOT every backend is known to hold every record'
  if (result.frames === 0) return 'nothing was checked: no delivered frame since --since is known'
  return result.onTheirWay === 0
    ? 'every backend holds every record'
    : 'every backend holds every record of the frames that were checked'
}

export function frameText({ frame, records, from, to, journalSeq, backends }: FrameResult): string {
  const shown = (numbers: readonly number[]) =>
    numbers.slice(0, NUMBERS_SHOWN).join(' ') + (numbers.length > NUMBERS_SHOWN ? ' …' : '')
  return [
    `frame ${frame}: ${whole(records)} records from ${from} to ${to}, ${journalSeq === undefined ? 'no longer in the journal' : `seq ${journalSeq} of the journal`}`,
    '',
    ...table(
      [
        ['backend', 'held', 'missing', 'copies', 'dead letters', 'first missing'],
        ...Object.entries(backends).map(([name, { held, missing, copies, dead }]) => [
          name,
          whole(held),
          whole(missing.length),
          whole(copies),
          whole(dead),
          shown(missing),
        ]),
      ],
      TEXT_FROM,
    ),
  ].join('\n')
}

export interface AuditStatus {
  readonly enabled: boolean
  readonly waiting: { readonly first: number; readonly again: number }
  readonly due: number
  readonly postponed: number
  readonly deadLetters: Readonly<Record<string, { readonly letters: number; readonly bytes: number }>>
  readonly events: readonly LoggedEvent[]
  /** With NATS. */
  readonly shared?: SharedState
}

export function statusText(status: AuditStatus): string {
  const { enabled, waiting, due, postponed, deadLetters, events, shared } = status
  const checked = events.flatMap((event) => (event.event === 'checked' ? [event] : []))
  const frames = checked.reduce((sum, event) => sum + event.frames, 0)
  const records = checked.reduce((sum, event) => sum + event.records, 0)
  const found = events.filter(({ event }) => event !== 'checked')
  return [
    `audit ${enabled ? 'on' : 'off'}: ${whole(waiting.first)} frames wait for their check, ${whole(waiting.again)} for their second, ${whole(due)} due, ${whole(postponed)} postponed`,
    ...(shared === undefined ? [] : [sharedText(shared)]),
    `checked ${whole(frames)} frames with ${whole(records)} records since ${events[0]?.time ?? 'never'}`,
    ...Object.entries(deadLetters).map(
      ([name, { letters, bytes }]) => `dead letters of ${name}: ${whole(letters)} in ${whole(bytes)} bytes`,
    ),
    '',
    ...(found.length === 0
      ? ['nothing differed']
      : found.slice(-EVENTS_SHOWN).map((event) => printable(eventText(event)))),
  ].join('\n')
}

function eventText(event: LoggedEvent): string {
  switch (event.event) {
    case 'difference':
      return `${event.time} ${event.backend}: ${whole(event.records)} records ${event.kind} of frame ${event.frame}`
    case 'repaired':
      return `${event.time} ${event.backend}: ${whole(event.records)} records of frame ${event.frame} sent again from ${event.from}`
    case 'unrepaired':
      return `${event.time} ${event.backend}: ${whole(event.records)} records of frame ${event.frame} NOT brought back: ${event.reason}`
    case 'postponed':
      return `${event.time} ${whole(event.frames)} frames postponed: ${event.reason}`
    case 'checked':
      return `${event.time} ${whole(event.frames)} frames checked`
  }
}
