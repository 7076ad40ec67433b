// Finds container logs under /var/log/pods.
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Conditions } from '../tail/conditions.js'
import type { Entry, Folders } from '../tail/folder.js'
import type { FoundFile, FoundLog } from '../tail/found.js'
import { isContainerName, parseLogName, parsePodFolder, type LogName, type PodFolder } from './pod-path.js'

/** A container's log of one restart. */
export interface ContainerLog extends FoundLog {
  readonly pod: PodFolder
  readonly containerName: string
}

export interface FindOptions {
  readonly root: string
  readonly wantsNamespace: (namespace: string) => boolean
  readonly folders: Folders
  readonly conditions: Conditions
}

/** An entry of the root, read once for as long as the root stays as it is. */
interface PodEntry {
  readonly path: string
  readonly pod: PodFolder | undefined
}

/** Readings of a folder that changes all the time; the last one is handed on as torn. */
const TRIES_MAX = 10

/**
 * A search for all container logs, each with its rotated files in the order of their rotation. A log of which nothing has changed is the
 * same object as in the search before.
 */
export function containerLogSearch(options: FindOptions): () => ContainerLog[] {
  const { root, folders, conditions, wantsNamespace } = options
  const podEntries = new WeakMap<Entry, PodEntry>()

  function podOf(entry: Entry): PodEntry {
    const known = podEntries.get(entry)
    if (known !== undefined) return known
    const read = { path: join(root, entry.name), pod: parsePodFolder(entry.name) }
    podEntries.set(entry, read)
    return read
  }

  return () => {
    const logs: ContainerLog[] = []
    folders.begin()
    for (const entry of folders.list(root)) {
      const { path, pod } = podOf(entry)
      if (pod === undefined) {
        // Hidden entries (lost+found, .snapshot) are nobody's log.
        if (!entry.name.startsWith('.')) conditions.report(path, 'malformed_path')
        continue
      }
      if (!wantsNamespace(pod.namespace)) continue
      for (const { name } of folders.list(path)) {
        const folder = `${path}/${name}`
        if (isContainerName(name)) logs.push(...snapshotOf(folder, pod, name, folders))
        else conditions.report(folder, 'malformed_path')
      }
    }
    return logs
  }
}

/** A folder that is being rotated is read again. */
function snapshotOf(
  folder: string,
  pod: PodFolder,
  containerName: string,
  folders: Folders,
): readonly ContainerLog[] {
  return folders.kept<readonly ContainerLog[]>(folder, (before) => {
    let logs: readonly ContainerLog[] = []
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      logs = logsOf(folder, pod, containerName, folders)
      if (folders.isConsistent(folder)) return isDeepStrictEqual(logs, before) ? (before ?? logs) : logs
    }
    return logs.map((log) => ({ ...log, torn: true }))
  })
}

function logsOf(folder: string, pod: PodFolder, containerName: string, folders: Folders): ContainerLog[] {
  const names = folders.list(folder).map(({ name }) => name)
  const present = new Set(names)
  const byRestart = new Map<string, { log: LogName; file: FoundFile }[]>()
  for (const name of names) {
    const log = parseLogName(name)
    // A gzip file is whole when the file it was made of is gone.
    if (log === undefined || (log.gz && present.has(name.slice(0, -3)))) continue
    const file = fileAt(join(folder, name), log, folders)
    if (file === undefined) continue
    const files = byRestart.get(log.restart) ?? []
    files.push({ log, file })
    byRestart.set(log.restart, files)
  }
  return [...byRestart].map(([restart, files]) => ({
    ...containerLog(folder, pod, containerName, restart),
    files: files.sort((a, b) => byRotation(a.log, b.log)).map(({ file }) => file),
  }))
}

function fileAt(path: string, log: LogName, folders: Folders): FoundFile | undefined {
  const stat = folders.stat(path)
  if (stat === undefined) return undefined
  const { dev, ino, size, mtimeMs } = stat
  return { path, dev, ino, size, mtimeMs, live: log.rotatedAt === undefined, gz: log.gz, wanted: true }
}

function containerLog(folder: string, pod: PodFolder, containerName: string, restart: string): ContainerLog {
  const key = `${pod.podUid}/${containerName}/${restart}`
  return { key, livePath: join(folder, `${restart}.log`), files: [], pod, containerName }
}

function byRotation(a: LogName, b: LogName): number {
  if (a.rotatedAt === b.rotatedAt) return 0
  if (a.rotatedAt === undefined) return 1
  if (b.rotatedAt === undefined) return -1
  return a.rotatedAt < b.rotatedAt ? -1 : 1
}

/** The log that a path belongs to; undefined when it does not lie under `root` as the kubelet puts it. */
export function containerLogOf(root: string, path: string): ContainerLog | undefined {
  if (!path.startsWith(`${root}/`)) return undefined
  const [podName, containerName, fileName, ...more] = path.slice(root.length + 1).split('/')
  if (podName === undefined || containerName === undefined || fileName === undefined || more.length > 0)
    return undefined
  const pod = parsePodFolder(podName)
  const log = parseLogName(fileName)
  if (pod === undefined || log === undefined || !isContainerName(containerName)) return undefined
  return containerLog(join(root, podName, containerName), pod, containerName, log.restart)
}
