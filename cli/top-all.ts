// `millrace top --all`: one line for each node of the cluster, once a second, over NATS.
import type { NodeStatus } from '../protocol/status.js'
import { sleep, systemClock } from '../runtime/clock.js'
import { askEach, nobody, type NodeAnswer } from './ctl/ask.js'
import { caller, type CtlOptions } from './ctl/options.js'
import { openSession, type Session } from './ctl/session.js'
import { printable } from './text-table.js'

export interface TopAllOptions extends CtlOptions {
  readonly once?: boolean
}

const EVERY_MS = 1000
/** New nodes are looked for so often. */
const MEMBERS_EVERY = 5
/** A screen's worth; the sum is over all. */
const ROWS_MAX = 40
const HOME_AND_CLEAR = '\u001b[H\u001b[J'

/** One node's answer and when it came, for rates. */
interface Sample {
  readonly status: NodeStatus | undefined
  readonly fault: string | undefined
}
export type Picture = ReadonlyMap<string, Sample>

export async function showAll(options: TopAllOptions, signal: AbortSignal): Promise<void> {
  const session = await openSession(options)
  try {
    await loop(session, options, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await session.close()
  }
}

async function loop(session: Session, options: TopAllOptions, signal: AbortSignal): Promise<void> {
  const live = options.once !== true && options.json !== true && process.stdout.isTTY === true
  let members: readonly string[] = []
  let before: Picture | undefined
  for (let turn = 0; ; turn++) {
    if (turn % MEMBERS_EVERY === 0) members = (await session.members()).map(({ node }) => node)
    if (members.length === 0) throw nobody(session)
    const answers = await askEach(session, members, 'status', { verb: 'status', args: {}, by: caller() })
    if (signal.aborted) return
    const now = pictureOf(answers)
    if (options.json === true) for (const each of answers) process.stdout.write(`${JSON.stringify(each)}\n`)
    // One picture needs two looks: a rate is what happened between them.
    else if (options.once !== true || before !== undefined)
      process.stdout.write(`${live ? HOME_AND_CLEAR : ''}${renderAll(now, before)}\n`)
    if (options.once === true && (options.json === true || before !== undefined)) return
    before = now
    await sleep(systemClock, EVERY_MS, signal)
    if (signal.aborted) return
  }
}

function pictureOf(answers: readonly NodeAnswer[]): Picture {
  return new Map(
    answers.map(({ node, answer }) => [
      node,
      answer.ok
        ? { status: answer.result as NodeStatus, fault: undefined }
        : { status: undefined, fault: answer.message },
    ]),
  )
}

const HEAD = ['NODE', 'READ/S', 'KEPT/S', 'LAG', 'CPU', 'RSS', 'SETTINGS', 'HEALTH']

/** The table; rates are of the time between the two pictures by each node's own clock. */
export function renderAll(now: Picture, before: Picture | undefined): string {
  const rows = [...now].map(([node, sample]) => rowOf(node, sample, before?.get(node)?.status))
  const sum = (at: number) => rows.reduce((total, row) => total + Number(row[at] ?? 0), 0)
  const shown = [HEAD, ...rows.slice(0, ROWS_MAX)]
  const widths = HEAD.map((_, at) => Math.max(...shown.map((row) => row[at]?.length ?? 0)))
  const lines = shown.map((row) =>
    row
      .map((cell, at) => (at === 0 || at > 5 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
  if (rows.length > ROWS_MAX) lines.push(`… and ${rows.length - ROWS_MAX} more nodes`)
  lines.push(`${rows.length} nodes: ${sum(1)} records/s read, ${sum(2)} kept`)
  return lines.join('\n')
}

function rowOf(node: string, { status, fault }: Sample, before: NodeStatus | undefined): string[] {
  if (status === undefined) return [node, '', '', '', '', '', '', printable(fault ?? '')]
  const pastMs = before === undefined ? 0 : status.uptimeMs - before.uptimeMs
  const rate = (of: (status: NodeStatus) => number) =>
    before === undefined || pastMs <= 0
      ? '0'
      : String(Math.round(((of(status) - of(before)) / pastMs) * 1000))
  const cpuUs = ({ cpu }: NodeStatus) => cpu.userUs + cpu.systemUs
  const lag = Math.max(0, ...Object.values(status.backends).map(({ lagFrames }) => lagFrames))
  const { settingsRevision = 0 } = status.actors['control']?.detail ?? {}
  const health = status.ready ? (status.degraded[0] ?? 'ready') : `not ready: ${status.reasons[0] ?? ''}`
  return [
    node,
    rate(({ counters }) => counters.readRecords),
    rate(({ counters }) => counters.keptRecords),
    String(lag),
    `${Math.round(Number(rate(cpuUs)) / 10_000)}%`,
    `${Math.round(status.memory.rssBytes / 1024 / 1024)}M`,
    settingsRevision === 0 ? 'file' : `r${settingsRevision}`,
    health,
  ].map(printable)
}
