// Puts one capture together: waits a moment for the rest of the trace and for Kubernetes, then reads what disk and control groups know.
import type { CaptureOptions } from '../../protocol/config/capture.js'
import type { ContainerEnd, ContainerFacts, PodEventText } from '../../protocol/pod.js'
import type { ActorContext } from '../../runtime/actor.js'
import { sleep } from '../../runtime/clock.js'
import type { Detection } from './detection.js'
import type { Figures } from './figures.js'
import type { PodLogs } from './log-folder.js'
import type { PodWatch } from './pod-watch.js'
import { findStack, type Stack } from './stack.js'
import { readStderrTail, type StderrTail } from './stderr-tail.js'

export interface Assembly {
  readonly context: Pick<ActorContext, 'clock' | 'node'>
  readonly options: CaptureOptions
  readonly pods: PodWatch
  /** A pod's Kubernetes events; undefined when they do not come in time or there is nobody to ask. */
  events(namespace: string, podUid: string, signal: AbortSignal): Promise<readonly PodEventText[] | undefined>
}

/** A detection whose pod is known by name, and what was read in the moment of the detection. */
export interface Named {
  readonly detection: Detection
  readonly detectedAtMs: number
  readonly namespace: string
  readonly podName: string
  readonly logs: PodLogs | undefined
  readonly figures: Figures | undefined
}

/** Beyond `settle`, how long the account of the kubelet is waited for: it looks at its containers once a second. */
const KUBERNETES_WAIT_MS = 500
/** A status tells whole seconds. */
const SECOND_MS = 1000
const SIGKILL_EXIT = 137

/** What was waited for. */
export interface Told {
  readonly ended: ContainerFacts | undefined
  readonly events: readonly PodEventText[] | undefined
}

/** Resolves within `settle` and KUBERNETES_WAIT_MS. */
export async function hear(work: Assembly, named: Named): Promise<Told> {
  const { context, options, pods } = work
  const { detection } = named
  const stop = new AbortController()
  const cancel = context.clock.after(options.settle + KUBERNETES_WAIT_MS, () => stop.abort())
  const { podUid, containerName, atMs } = detection
  const [ended, events] = await Promise.all([
    containerName === undefined || detection.by === 'kubernetes' || pods.count() === undefined
      ? undefined
      : pods.ended(podUid, containerName, atMs - SECOND_MS, stop.signal),
    work.events(named.namespace, podUid, stop.signal),
    // A trace that has been written is there already when the API tells of the end.
    detection.by === 'kubernetes' ? undefined : sleep(context.clock, options.settle),
  ])
  cancel()
  return { ended, events }
}

/** File name → text. Every file is always there. */
export async function assemble(
  work: Assembly,
  named: Named,
  { ended, events }: Told,
): Promise<Record<string, string>> {
  const { options, pods } = work
  const { detection, logs, figures } = named
  const { containerName, podUid, atMs } = detection
  const tail: StderrTail =
    logs === undefined
      ? { lines: [], truncated: false }
      : await readStderrTail({
          logs,
          container: containerName,
          atMs,
          windowMs: options.stderr_window,
          bytesMax: options.stderr_bytes_max,
        })
  const stack = findStack(tail.lines)
  const facts = ended ?? pods.containerOf(podUid, nameAndId(detection))
  const isMixed = containerName === undefined && (logs?.containers.length ?? 0) > 1
  return {
    'meta.json': json(metaOf(work, named, { tail, stack, ended: detection.ended ?? ended?.ended, facts })),
    'stack.txt': stack?.text ?? 'no stack trace in the last lines of stderr\n',
    'stderr.log': tail.lines
      .map(({ container, time, text }) => `${time} ${isMixed ? `[${container}] ` : ''}${text}\n`)
      .join(''),
    'memory.json': json(memoryOf(figures, facts)),
    'cgroup.txt': figures?.raw ?? 'the control groups of the pod were not found\n',
    'events.json': json(events ?? []),
  }
}

function nameAndId({ containerName, containerId }: Detection): { name?: string; id?: string } {
  return {
    ...(containerName === undefined ? {} : { name: containerName }),
    ...(containerId === undefined ? {} : { id: containerId }),
  }
}

interface Found {
  readonly tail: StderrTail
  readonly stack: Stack | undefined
  readonly ended: ContainerEnd | undefined
  readonly facts: ContainerFacts | undefined
}

function metaOf({ context, options }: Assembly, named: Named, found: Found) {
  const { detection, figures } = named
  const { tail, stack, ended, facts } = found
  const group = figures?.container ?? figures?.pod
  const language = detection.language ?? stack?.language
  return {
    version: 1,
    reason: detection.reason,
    detected_by: detection.by,
    at: iso(detection.atMs),
    detected_at: iso(named.detectedAtMs),
    captured_at: iso(context.clock.now()),
    cluster_id: context.node.clusterId,
    node: context.node.id,
    namespace: named.namespace,
    pod_name: named.podName,
    pod_uid: detection.podUid,
    container_name: detection.containerName ?? null,
    container_id: detection.containerId ?? ended?.containerId ?? facts?.containerId ?? null,
    ...exitOf(detection, ended, language),
    kubernetes_reason: ended?.reason ?? null,
    waiting_reason: facts?.waitingReason ?? null,
    // The number in the name of its log is the kubelet's count of restarts.
    restart_count: detection.restartCount ?? facts?.restartCount ?? tail.restart ?? null,
    oom_killer_enabled: group?.oomKillerEnabled ?? figures?.pod.oomKillerEnabled ?? null,
    oom_kills: detection.oomKills ?? null,
    language: language ?? null,
    stack: stack !== undefined,
    stderr: {
      lines: tail.lines.length,
      from: tail.lines[0]?.time ?? null,
      to: tail.lines.at(-1)?.time ?? null,
      window_ms: options.stderr_window,
      truncated: tail.truncated,
    },
  }
}

/** Where nobody has told it: the OOM killer sends SIGKILL; Go ends with 2 and Node with 1 after what they have written. */
function exitOf(detection: Detection, ended: ContainerEnd | undefined, language: string | undefined) {
  if (ended !== undefined) return { exit_code: ended.exitCode, exit_code_source: 'kubernetes' }
  if (detection.reason === 'oom_killed') return { exit_code: SIGKILL_EXIT, exit_code_source: 'assumed' }
  if (detection.reason === 'asked') return { exit_code: null, exit_code_source: 'unknown' }
  if (language === 'go') return { exit_code: 2, exit_code_source: 'assumed' }
  if (language === 'node') return { exit_code: 1, exit_code_source: 'assumed' }
  return { exit_code: null, exit_code_source: 'unknown' }
}

function memoryOf(figures: Figures | undefined, facts: ContainerFacts | undefined) {
  return {
    limit: facts?.memoryLimit ?? null,
    cgroup_version: figures?.version ?? null,
    container: figures?.container ?? null,
    pod: figures?.pod ?? null,
  }
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString()
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
