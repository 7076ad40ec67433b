// Finds out whose end a detection tells of: pod and container by name, from Kubernetes or from the folder of the pod's logs.
import type { Named } from './assemble.js'
import type { Detection } from './detection.js'
import type { Figures } from './figures.js'
import { findPodLogs } from './log-folder.js'
import type { PodWatch } from './pod-watch.js'

/** What is read in the moment of the detection, before it is known whose it is. */
export interface Moment {
  readonly atMs: number
  readonly figures: Figures | undefined
}

/** The container stays unnamed when neither can tell: its pod has several. */
export async function identify(
  detection: Detection,
  moment: Moment,
  pods: PodWatch,
  logRoots: readonly string[],
): Promise<Named> {
  const { podUid, containerId } = detection
  const logs = await findPodLogs(logRoots, podUid)
  const pod = pods.podOf(podUid)
  const byId = containerId === undefined ? undefined : pods.containerOf(podUid, { id: containerId })?.name
  const only = logs?.containers.length === 1 ? logs.containers[0] : undefined
  const containerName = detection.containerName ?? byId ?? only
  const namespace = detection.namespace ?? pod?.namespace ?? logs?.namespace ?? 'unknown'
  return {
    detection: { ...detection, namespace, ...(containerName === undefined ? {} : { containerName }) },
    detectedAtMs: moment.atMs,
    namespace,
    podName: detection.podName ?? pod?.name ?? logs?.podName ?? podUid,
    logs,
    figures: moment.figures,
  }
}
