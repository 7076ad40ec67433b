// Notices from what the Kubernetes API tells of pods that a container was OOM-killed or is in a crash loop; answers what is known of it.
import type { ContainerFacts, PodFacts } from '../../protocol/pod.js'
import type { Detection } from './detection.js'

export interface PodWatch {
  apply(pods: readonly PodFacts[], all: boolean): void
  podOf(uid: string): PodFacts | undefined
  uidOf(namespace: string, name: string): string | undefined
  containerOf(uid: string, container: { name?: string; id?: string }): ContainerFacts | undefined
  /** Resolves with the container once it is told to have ended at `sinceMs` or later; undefined when that is not told in time. */
  ended(uid: string, name: string, sinceMs: number, signal: AbortSignal): Promise<ContainerFacts | undefined>
  /** Pods known; undefined while nothing was told. */
  count(): number | undefined
}

/** Ends that are remembered as told already. */
const TOLD_MAX = 10_000
const OOM_KILLED = 'OOMKilled'
const CRASH_LOOP = 'CrashLoopBackOff'

export function createPodWatch(now: () => number, onDetection: (detection: Detection) => void): PodWatch {
  let pods = new Map<string, PodFacts>()
  const told = new Set<string>()
  const waiting = new Set<() => void>()
  let isTold = false

  function isNews(key: string): boolean {
    if (told.has(key)) return false
    const oldest = told.values().next().value
    if (told.size >= TOLD_MAX && oldest !== undefined) told.delete(oldest)
    told.add(key)
    return true
  }

  function look(pod: PodFacts, container: ContainerFacts): void {
    const { ended, restartCount, waitingReason } = container
    const { uid: podUid, namespace, name: podName } = pod
    const base = {
      by: 'kubernetes' as const,
      atMs: ended !== undefined && ended.finishedAtMs > 0 ? ended.finishedAtMs : now(),
      podUid,
      namespace,
      podName,
      containerName: container.name,
      restartCount,
      ...(ended === undefined ? {} : { ended }),
    }
    const place = `${podUid}/${container.name}`
    if (ended?.reason === OOM_KILLED) {
      const id = ended.containerId ?? `${ended.finishedAtMs}`
      if (isNews(`${place}/oom/${id}`)) onDetection({ ...base, reason: 'oom_killed' })
    }
    if (waitingReason === CRASH_LOOP && isNews(`${place}/loop/${restartCount}`))
      onDetection({ ...base, reason: 'crash_loop' })
  }

  return {
    apply(changed, all) {
      isTold = true
      if (all) pods = new Map()
      for (const pod of changed) pods.set(pod.uid, pod)
      for (const pod of changed) for (const container of pod.containers) look(pod, container)
      for (const check of waiting) check()
    },
    podOf: (uid) => pods.get(uid),
    uidOf(namespace, name) {
      for (const pod of pods.values()) if (pod.namespace === namespace && pod.name === name) return pod.uid
      return undefined
    },
    containerOf(uid, { name, id }) {
      return pods
        .get(uid)
        ?.containers.find((container) =>
          name === undefined
            ? id !== undefined && (container.containerId === id || container.ended?.containerId === id)
            : container.name === name,
        )
    },
    ended(uid, name, sinceMs, signal) {
      return new Promise((resolve) => {
        function check(): void {
          const found = pods.get(uid)?.containers.find((container) => container.name === name)
          const isEnded = found?.ended !== undefined && found.ended.finishedAtMs >= sinceMs
          if (!isEnded && !signal.aborted) return
          waiting.delete(check)
          signal.removeEventListener('abort', check)
          resolve(isEnded ? found : undefined)
        }
        waiting.add(check)
        signal.addEventListener('abort', check)
        check()
      })
    },
    count: () => (isTold ? pods.size : undefined),
  }
}
