// `millrace ctl nodes`: who is in the cluster, how each node is, and which settings it runs with.
import { Command } from 'commander'
import type { NodeStatus } from '../../protocol/status.js'
import { askEach, nobody, type NodeAnswer } from './ask.js'
import { caller, clusterOptions, type CtlOptions, print } from './options.js'
import { openSession } from './session.js'

export function nodesCommand(): Command {
  return clusterOptions(new Command('nodes'))
    .description('Lists the nodes that answer, their health and the revision of the settings they run with.')
    .summary('the nodes of the cluster, their health and settings')
    .action(async (options: CtlOptions) => {
      const session = await openSession(options)
      try {
        const members = (await session.members()).map(({ node }) => node)
        if (members.length === 0) throw nobody(session)
        const answers = await askEach(session, members, 'status', { verb: 'status', args: {}, by: caller() })
        const rows = answers.map(rowOf)
        if (options.json === true) for (const row of rows) print(JSON.stringify(row))
        else print(table(rows))
      } finally {
        await session.close()
      }
    })
}

export interface NodeRow {
  readonly node: string
  readonly version: string
  readonly health: string
  readonly settings: string
  readonly read: number
  readonly kept: number
}

export function rowOf({ node, answer }: NodeAnswer): NodeRow {
  if (!answer.ok) return { node, version: '?', health: answer.message, settings: '?', read: 0, kept: 0 }
  const { version, ready, reasons, degraded, counters, actors } = answer.result as NodeStatus
  const health = ready ? (degraded[0] ?? 'ready') : `not ready: ${reasons[0] ?? ''}`
  const { settingsRevision = 0, settingsKey = '' } = actors['control']?.detail ?? {}
  const settings = settingsRevision === 0 ? 'file' : `${settingsKey} ${settingsRevision}`
  return { node, version, health, settings, read: counters.readRecords, kept: counters.keptRecords }
}

export function table(rows: readonly NodeRow[]): string {
  const head = ['NODE', 'VERSION', 'SETTINGS', 'READ', 'KEPT', 'HEALTH']
  const cells = rows.map(({ node, version, settings, read, kept, health }) => [
    node,
    version,
    settings,
    String(read),
    String(kept),
    health,
  ])
  const widths = head.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]?.length ?? 0)))
  return [head, ...cells]
    .map((row) =>
      row
        .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
