// Finds a pod's folder of logs by its uid, and the files of a container in the order in which they were written.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import { isContainerName, parseLogName, parsePodFolder } from '../sources/kubernetes/pod-path.js'

export interface PodLogs {
  readonly folder: string
  readonly namespace: string
  readonly podName: string
  readonly containers: readonly string[]
}

export interface LogFile {
  readonly path: string
  readonly restart: number
}

/** Undefined when no root has a folder of this pod. */
export async function findPodLogs(roots: readonly string[], podUid: string): Promise<PodLogs | undefined> {
  for (const root of roots) {
    for (const name of await namesIn(root)) {
      if (!name.endsWith(`_${podUid}`)) continue
      const pod = parsePodFolder(name)
      if (pod?.podUid !== podUid) continue
      const folder = join(root, name)
      const containers = (await namesIn(folder)).filter(isContainerName)
      return { folder, namespace: pod.namespace, podName: pod.podName, containers }
    }
  }
  return undefined
}

/** The uid of a pod that is known by its names; undefined when no root has its logs. */
export async function findPodUid(
  roots: readonly string[],
  namespace: string,
  podName: string,
): Promise<string | undefined> {
  for (const root of roots) {
    for (const name of await namesIn(root)) {
      const pod = parsePodFolder(name)
      if (pod?.namespace === namespace && pod.podName === podName) return pod.podUid
    }
  }
  return undefined
}

/** Newest first. Compressed ones are left out: they are older than any rotation that matters here. */
export async function containerLogs(podFolder: string, container: string): Promise<LogFile[]> {
  // The name may come from elsewhere than this folder.
  if (!isContainerName(container)) return []
  const folder = join(podFolder, container)
  return (await namesIn(folder))
    .flatMap((name) => {
      const log = parseLogName(name)
      return log === undefined || log.gz ? [] : [{ name, restart: Number(log.restart), at: log.rotatedAt }]
    })
    .sort((a, b) => b.restart - a.restart || newestFirst(a.at, b.at))
    .map(({ name, restart }) => ({ path: join(folder, name), restart }))
}

/** Undefined is the live file, which is newer than all rotated ones. */
function newestFirst(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0
  if (a === undefined) return -1
  return b === undefined || a < b ? 1 : -1
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return []
    throw error
  }
}
