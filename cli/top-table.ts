// Draws a node's status as a table of text; rates come from two statuses.
import type { BackendStatus, NodeStatus } from '../protocol/status.js'
import { bytes, printable, span, table, whole } from './text-table.js'
import { samplingLines } from './top-sampling.js'

/** Without `previous` the rates are averages since the node's start. Lines end in \n, the last one too. */
export function renderTop(status: NodeStatus, previous?: NodeStatus): string {
  const before = previous !== undefined && previous.uptimeMs < status.uptimeMs ? previous : undefined
  const seconds = Math.max(0.001, (status.uptimeMs - (before?.uptimeMs ?? 0)) / 1000)
  const rate = (now: number, then: number | undefined) => Math.max(0, now - (then ?? 0)) / seconds
  const lines = [
    head(status, before, seconds),
    ...flow(status, before, rate),
    '',
    ...backends(status, before, rate),
    '',
  ]
  lines.push(...samplingLines(status.sampling))
  lines.push(journal(status), ...groups(status), ...complaints(status))
  return `${lines.join('\n')}\n`
}

type Rate = (now: number, then: number | undefined) => number

function head(status: NodeStatus, before: NodeStatus | undefined, seconds: number): string {
  const cpuUs = ({ cpu }: NodeStatus) => cpu.userUs + cpu.systemUs
  const cpu = (cpuUs(status) - (before === undefined ? 0 : cpuUs(before))) / seconds / 10_000
  const state = status.ready ? (status.degraded.length > 0 ? 'ready, degraded' : 'ready') : 'NOT READY'
  const parts = [`millrace ${status.version}`, status.node, state, `up ${span(status.uptimeMs / 1000)}`]
  return [...parts, `cpu ${cpu.toFixed(0)} %`, `rss ${bytes(status.memory.rssBytes)}`].join('   ')
}

function flow(status: NodeStatus, before: NodeStatus | undefined, rate: Rate): string[] {
  const now = status.counters
  const then = before?.counters
  const read = rate(now.readRecords, then?.readRecords)
  const kept = rate(now.keptRecords, then?.keptRecords)
  const share = read === 0 ? '' : ` (${((100 * kept) / read).toFixed(1)} %)`
  const dropped = Object.entries(now.droppedRecords).map(([reason, records]) => `${reason} ${whole(records)}`)
  return [
    `read   ${whole(read)} records/s   ${bytes(rate(now.readBytes, then?.readBytes))}/s   ${whole(now.readRecords)} in all`,
    `kept   ${whole(kept)} records/s${share}   ${whole(now.keptRecords)} in all`,
    ...(dropped.length === 0 ? [] : [`not kept   ${dropped.join(', ')}`]),
  ]
}

const BACKEND_HEAD = [
  'backend',
  'records/s',
  'written',
  'bytes/s',
  'lag',
  'frames',
  'breaker',
  'in flight',
  'failed',
  'dead letters',
]

function backends(status: NodeStatus, before: NodeStatus | undefined, rate: Rate): string[] {
  const rows = Object.entries(status.backends).map(([name, backend]) =>
    backendRow(name, backend, before?.backends[name], rate),
  )
  return table([BACKEND_HEAD, ...rows])
}

function backendRow(name: string, now: BackendStatus, then: BackendStatus | undefined, rate: Rate): string[] {
  return [
    name,
    whole(rate(now.writtenRecords, then?.writtenRecords)),
    whole(now.writtenRecords),
    `${bytes(rate(now.writtenBytes, then?.writtenBytes))}`,
    span(now.lagSeconds),
    whole(now.lagFrames),
    now.breaker.replace('_', '-'),
    `≤ ${whole(now.concurrency)}`,
    whole(now.failedRequests),
    whole(now.deadLetters),
  ]
}

function journal({ journal: { bytes: size, segments, tailSeq } }: NodeStatus): string {
  return `journal   ${bytes(size)} in ${whole(segments)} ${segments === 1 ? 'segment' : 'segments'}   last frame ${whole(tailSeq)}`
}

function groups(status: NodeStatus): string[] {
  const names = Object.entries(status.groups).map(([name, { restarts, up }]) => {
    const actors = Object.keys(status.actors).filter((actor) => status.actors[actor]?.group === name)
    return [name, up ? 'up' : 'DOWN', `${whole(restarts)} restarts`, actors.join(' ')]
  })
  return table([['thread', 'state', '', 'actors'], ...names], 3)
}

function complaints(status: NodeStatus): string[] {
  const lines = [
    ...status.reasons.map((reason) => `! ${printable(reason)}`),
    ...status.degraded.map((reason) => `~ ${printable(reason)}`),
  ]
  return lines.length === 0 ? [] : ['', ...lines]
}
