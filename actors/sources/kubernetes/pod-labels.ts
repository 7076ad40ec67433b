// The labels of this node's pods, kept up to date by one watch; a new pod's records wait for them, but not for long.
import { saidOf } from '../../../protocol/errors.js'
import type { ActorContext } from '../../../runtime/actor.js'
import { sleep } from '../../../runtime/clock.js'
import type { PodEvent, PodMeta, PodsApi } from './pods-api.js'

export interface PodLabelsOptions {
  readonly context: ActorContext
  readonly source: string
  readonly nodeName: string
  readonly waitMs: number
  /** Undefined: there is no API to ask. */
  open(): Promise<PodsApi | undefined>
  /** Labels of these pods have come or changed. */
  onChange(uids: ReadonlySet<string>): void
  /** Pods as they are now; `all`: there are no others. */
  onPods?(pods: readonly PodMeta[], all: boolean): void
}

export interface PodLabels {
  start(): void
  stop(): void
  /** Undefined while the pod is not known. */
  of(uid: string): Readonly<Record<string, string>> | undefined
  /** Whether a pod's first records may go now, `waitedMs` after they were first there. */
  admit(uid: string, waitedMs: number): boolean
  status(): { readonly reason?: string; readonly detail: Readonly<Record<string, string | number>> }
}

const BACKOFF_MS = { initial: 500, max: 30_000 }
/** Pods remembered; the field selector keeps far fewer. Beyond, pods go without labels. */
const PODS_MAX = 10_000

export function createPodLabels(options: PodLabelsOptions): PodLabels {
  const { context, source, nodeName, waitMs, onChange } = options
  const pods = new Map<string, Readonly<Record<string, string>>>()
  const waitedInVain = new Set<string>()
  const aborter = new AbortController()
  let state: 'off' | 'starting' | 'connected' | 'unreachable' = 'starting'
  let address = ''
  let fault = ''

  function put(pod: PodMeta): boolean {
    const before = pods.get(pod.uid)
    if (before === undefined && pods.size >= PODS_MAX) return false
    pods.set(pod.uid, pod.labels)
    waitedInVain.delete(pod.uid)
    return before === undefined || JSON.stringify(before) !== JSON.stringify(pod.labels)
  }

  async function list(api: PodsApi): Promise<string> {
    const { pods: listed, resourceVersion } = await api.list(nodeName, aborter.signal)
    state = 'connected'
    const uids = new Set(listed.map(({ uid }) => uid))
    for (const uid of pods.keys()) if (!uids.has(uid)) pods.delete(uid)
    onChange(new Set(listed.filter(put).map(({ uid }) => uid)))
    options.onPods?.(listed, true)
    return resourceVersion
  }

  function apply(event: PodEvent): void {
    if (event.pod === undefined) return
    // A deleted pod's last lines are still being read: its labels go when the next list does not hold it.
    if (event.type !== 'put') return
    if (put(event.pod)) onChange(new Set([event.pod.uid]))
    options.onPods?.([event.pod], false)
  }

  /** Watches until the server says that the version is too old, or something breaks. */
  async function follow(api: PodsApi, from: string): Promise<void> {
    let version = from
    for (;;) {
      const startedMs = context.clock.monotonic()
      const result = await api.watch(
        nodeName,
        version,
        (event) => {
          version = event.resourceVersion || version
          apply(event)
        },
        aborter.signal,
      )
      if (result === 'gone' || aborter.signal.aborted) return
      // A server that ends every watch at once must not be asked in a hot loop.
      if (context.clock.monotonic() - startedMs < 1000) await sleep(context.clock, 1000, aborter.signal)
    }
  }

  async function run(api: PodsApi): Promise<void> {
    let failures = 0
    while (!aborter.signal.aborted) {
      try {
        const version = await list(api)
        failures = 0
        fault = ''
        await follow(api, version)
      } catch (error) {
        if (aborter.signal.aborted) return
        fail(error)
        const bound = Math.min(BACKOFF_MS.max, BACKOFF_MS.initial * 2 ** failures++)
        await sleep(context.clock, bound * (0.5 + context.random() / 2), aborter.signal)
      }
    }
  }

  function fail(error: unknown): void {
    const text = saidOf(error)
    state = 'unreachable'
    context.metrics.add('source_errors_total', 1, { source, reason: 'kubernetes_api' })
    if (text !== fault)
      context.log.warn(
        { source, address, detail: text },
        'the Kubernetes API is not reachable; records go without labels',
      )
    fault = text
  }

  async function begin(): Promise<void> {
    try {
      const api = await options.open()
      if (api === undefined) {
        state = 'off'
        return
      }
      address = api.address
      await run(api)
    } catch (error) {
      fail(error)
    }
  }

  return {
    start: () => void begin().catch(context.fail),
    stop: () => aborter.abort(),
    of: (uid) => pods.get(uid),
    admit(uid, waitedMs) {
      if (pods.has(uid) || state === 'off' || state === 'unreachable') return true
      if (waitedMs < waitMs) return false
      if (!waitedInVain.has(uid) && waitedInVain.size < PODS_MAX) {
        waitedInVain.add(uid)
        context.metrics.add('labels_wait_total', 1)
      }
      return true
    },
    status() {
      const detail = { api: state, pods: pods.size }
      if (state !== 'unreachable') return { detail }
      return {
        detail,
        reason: `Kubernetes API ${address} not reachable (${fault}); records go without pod labels`,
      }
    },
  }
}
