// Puts a node's status together from what its actors say, its thread groups and its metrics.
import type { NodePlan } from '../actors/plan.js'
import type { Config } from '../protocol/config/schema.js'
import type { StatusMessage } from '../protocol/messages.js'
import type {
  ActorStatus,
  BackendStatus,
  BreakerState,
  NodeSampling,
  NodeStatus,
} from '../protocol/status.js'
import type { MetricsMerge } from '../runtime/metrics-merge.js'
import type { GroupStatus } from '../runtime/supervisor.js'
import { readVersion } from '../runtime/version.js'

export interface StatusSource {
  readonly config: Config
  readonly plan: NodePlan
  readonly merge: MetricsMerge
  groups(): Record<string, GroupStatus>
  sampling(): NodeSampling
  /** What an operator has impaired. */
  impaired(): readonly string[]
}

export interface StatusReader {
  update(message: StatusMessage): void
  /** From here on the node is not ready because it is told to end. */
  stopping(): void
  read(): NodeStatus
}

export function createStatus({
  config,
  plan,
  merge,
  groups,
  sampling,
  impaired: byOperator,
}: StatusSource): StatusReader {
  const startedMs = performance.now()
  const version = readVersion()
  const said = new Map<string, StatusMessage>()
  let stopping = false
  const groupOf = new Map(
    plan.groups.flatMap(({ group, actors }) => actors.map((actor) => [actor, group] as const)),
  )

  function actors(): Record<string, ActorStatus> {
    return Object.fromEntries(
      plan.actors.map(({ name }) => {
        const { ready = true, reason, detail = {} } = said.get(name) ?? {}
        return [
          name,
          { group: groupOf.get(name) ?? '', ready, detail, ...(reason === undefined ? {} : { reason }) },
        ]
      }),
    )
  }

  function read(): NodeStatus {
    const groupStates = groups()
    const down = Object.entries(groupStates).filter(([, group]) => !group.up)
    const unready = [...said.values()].filter(({ ready }) => !ready)
    const impaired = [...said.values()].filter(({ ready, reason }) => ready && reason !== undefined)
    const reasons = stopping
      ? ['the node is stopping or has stopped']
      : [
          ...down.map(([group]) => `thread group ${group} is being started`),
          ...unready.map(({ actor, reason }) => `${actor}: ${reason ?? 'not ready'}`),
        ]
    const { rss, heapUsed, external } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    return {
      node: config.node.id,
      version,
      uptimeMs: Math.round(performance.now() - startedMs),
      ready: reasons.length === 0,
      reasons,
      degraded: [...byOperator(), ...impaired.map(({ actor, reason }) => `${actor}: ${reason}`)],
      actors: actors(),
      groups: Object.fromEntries(
        Object.entries(groupStates).map(([name, { up, restarts, asked }]) => [name, { up, restarts, asked }]),
      ),
      memory: {
        rssBytes: rss,
        peakRssBytes: process.resourceUsage().maxRSS * 1024,
        heapUsedBytes: heapUsed,
        externalBytes: external,
      },
      cpu: { userUs: user, systemUs: system },
      counters: {
        readRecords: merge.value('records_read_total'),
        readBytes: merge.value('bytes_read_total'),
        keptRecords: merge.value('records_kept_total'),
        droppedRecords: merge.byLabel('records_dropped_total', 'reason'),
      },
      backends: Object.fromEntries(
        Object.keys(config.backends).map((name) => [name, backendStatus(merge, name)]),
      ),
      sampling: sampling(),
      journal: {
        bytes: merge.value('journal_bytes'),
        segments: merge.value('journal_segments'),
        tailSeq: Number(said.get('journal')?.detail.tailSeq ?? 0),
      },
    }
  }

  return {
    update: (message) => void said.set(message.actor, message),
    stopping: () => void (stopping = true),
    read,
  }
}

function backendStatus(merge: MetricsMerge, name: string): BackendStatus {
  const labels = { backend: name }
  const breaker = merge.value('breaker_open', labels)
  const state: BreakerState = breaker === 1 ? 'open' : breaker > 0 ? 'half_open' : 'closed'
  return {
    writtenRecords: merge.value('write_records_total', labels),
    writtenBytes: merge.value('write_bytes_total', labels),
    failedRequests: merge.value('write_failed_total', labels),
    lagFrames: merge.value('write_lag_frames', labels),
    lagSeconds: merge.value('write_lag_seconds', labels),
    breaker: state,
    concurrency: merge.value('write_concurrency', labels),
    deadLetters: merge.value('dead_letters_total', labels),
  }
}
