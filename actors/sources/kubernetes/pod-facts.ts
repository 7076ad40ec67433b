// Reads from the API's objects what becomes of a pod's containers: restarts, how they ended, why they wait.
import type { ContainerEnd, ContainerFacts, PodEventText, PodFacts } from '../../../protocol/pod.js'

interface RawTerminated {
  readonly reason?: string
  readonly exitCode?: number
  readonly finishedAt?: string
  readonly containerID?: string
}
interface RawState {
  readonly waiting?: { readonly reason?: string }
  readonly terminated?: RawTerminated
}
interface RawStatus {
  readonly name?: string
  readonly containerID?: string
  readonly restartCount?: number
  readonly state?: RawState
  readonly lastState?: RawState
}
interface RawContainer {
  readonly name?: string
  readonly resources?: { readonly limits?: { readonly memory?: string } }
}
interface RawPod {
  readonly metadata?: { readonly name?: string; readonly namespace?: string }
  readonly spec?: {
    readonly containers?: readonly RawContainer[]
    readonly initContainers?: readonly RawContainer[]
  }
  readonly status?: {
    readonly containerStatuses?: readonly RawStatus[]
    readonly initContainerStatuses?: readonly RawStatus[]
    readonly ephemeralContainerStatuses?: readonly RawStatus[]
  }
}

/** Containers of one pod that are looked at. */
const CONTAINERS_MAX = 100
const EVENTS_MAX = 100
const TEXT_MAX = 1024

/** Undefined for a pod's metadata alone. `uid` as in the paths of its logs. */
export function podFactsOf(uid: string, value: unknown): PodFacts | undefined {
  const { metadata, spec, status } = value as RawPod
  if (status === undefined || status === null || typeof status !== 'object') return undefined
  const limits = new Map(
    [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map((container) => [
      container.name,
      container.resources?.limits?.memory,
    ]),
  )
  const containers = [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ]
    .slice(0, CONTAINERS_MAX)
    .flatMap((raw) => containerOf(raw, limits))
  return { uid, namespace: metadata?.namespace ?? 'default', name: metadata?.name ?? uid, containers }
}

function containerOf(
  raw: RawStatus,
  limits: ReadonlyMap<string | undefined, string | undefined>,
): ContainerFacts[] {
  if (typeof raw?.name !== 'string') return []
  const containerId = idOf(raw.containerID)
  const waitingReason = raw.state?.waiting?.reason
  const ended = endOf(raw.state?.terminated ?? raw.lastState?.terminated)
  const memoryLimit = limits.get(raw.name)
  return [
    {
      name: raw.name,
      restartCount: typeof raw.restartCount === 'number' ? raw.restartCount : 0,
      ...(containerId === undefined ? {} : { containerId }),
      ...(waitingReason === undefined ? {} : { waitingReason }),
      ...(ended === undefined ? {} : { ended }),
      ...(memoryLimit === undefined ? {} : { memoryLimit }),
    },
  ]
}

function endOf(raw: RawTerminated | undefined): ContainerEnd | undefined {
  if (typeof raw?.exitCode !== 'number') return undefined
  const finishedAtMs = Date.parse(raw.finishedAt ?? '')
  const containerId = idOf(raw.containerID)
  return {
    reason: raw.reason ?? '',
    exitCode: raw.exitCode,
    finishedAtMs: Number.isNaN(finishedAtMs) ? 0 : finishedAtMs,
    ...(containerId === undefined ? {} : { containerId }),
  }
}

/** `containerd://<id>` → `<id>`. */
function idOf(text: string | undefined): string | undefined {
  if (typeof text !== 'string' || text === '') return undefined
  return text.slice(text.indexOf('://') + (text.includes('://') ? 3 : 1))
}

interface RawEvent {
  readonly type?: string
  readonly reason?: string
  readonly message?: string
  readonly count?: number
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
  readonly metadata?: { readonly creationTimestamp?: string }
}

/** An EventList, oldest first. */
export function eventTextsOf(value: unknown): PodEventText[] {
  const items = (value as { readonly items?: readonly RawEvent[] } | null)?.items ?? []
  return items
    .map((raw) => ({
      type: String(raw.type ?? ''),
      reason: String(raw.reason ?? ''),
      message: String(raw.message ?? '').slice(0, TEXT_MAX),
      count: Number(raw.count ?? 1),
      lastSeen: raw.lastTimestamp ?? raw.eventTime ?? raw.metadata?.creationTimestamp ?? '',
    }))
    .sort((a, b) => (a.lastSeen < b.lastSeen ? -1 : 1))
    .slice(-EVENTS_MAX)
}
