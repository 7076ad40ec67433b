// Finds the control groups of pods and their containers, v1 and v2, as the kubelet's drivers (cgroupfs, systemd) name them.
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../protocol/errors.js'

export interface CgroupTree {
  readonly version: 1 | 2
  /** Folder below which pods are searched: the mount point (v2), or that of the memory controller (v1). */
  readonly base: string
}

export interface CgroupPod {
  readonly podUid: string
  readonly folder: string
}

/** A container's control group, where it is known and still there, and its pod's. */
export interface CgroupPlace {
  readonly version: 1 | 2
  readonly podFolder: string
  readonly containerFolder?: string
}

const UID = '[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32}'
/** `pod<uid>` (cgroupfs), `kubepods-burstable-pod<uid with _>.slice` (systemd); static pods have a hash for a uid. */
const POD = new RegExp(`(?:^|-)pod(${UID})(?:\\.slice)?$`)
/** `<id>`, `cri-containerd-<id>.scope`, `crio-<id>.scope`, `docker-<id>.scope`; not `crio-conmon-<id>.scope`. */
const CONTAINER = /^(?:(?:cri-containerd|crio|docker|libpod)-)?([0-9a-f]{64})(?:\.scope)?$/
/** Groups above pods: kubepods, kubelet.slice, besteffort, … Others (users, services) are not descended into. */
const ABOVE_PODS = /kube|burstable|besteffort|guaranteed/
const DEPTH_MAX = 6
const PODS_MAX = 2000
const CONTAINERS_MAX = 100

/** Undefined where `root` holds no memory controller. */
export function findTree(root: string): CgroupTree | undefined {
  const controllers = readText(join(root, 'cgroup.controllers'))
  if (controllers?.split(/\s+/).includes('memory') === true) return { version: 2, base: root }
  const memory = join(root, 'memory')
  if (existsSync(join(memory, 'cgroup.procs'))) return { version: 1, base: memory }
  return undefined
}

export function podUidOf(name: string): string | undefined {
  return POD.exec(name)?.[1]?.replaceAll('_', '-')
}

export function containerIdOf(name: string): string | undefined {
  return CONTAINER.exec(name)?.[1]
}

/** At most 2,000 pods; a group that vanishes meanwhile is left out. */
export function findPods({ base }: CgroupTree): CgroupPod[] {
  const pods: CgroupPod[] = []
  function search(folder: string, depth: number): void {
    for (const name of foldersIn(folder)) {
      if (pods.length >= PODS_MAX) return
      const podUid = podUidOf(name)
      if (podUid !== undefined) pods.push({ podUid, folder: join(folder, name) })
      else if (depth < DEPTH_MAX && ABOVE_PODS.test(name)) search(join(folder, name), depth + 1)
    }
  }
  search(base, 0)
  return pods
}

/** Container id → folder. */
export function findContainers(podFolder: string): Map<string, string> {
  const containers = new Map<string, string>()
  // By name alone: no file of a control group is called so, and a look at each entry's kind is what costs.
  for (const name of listed(podFolder)) {
    const id = containerIdOf(name)
    if (id !== undefined && containers.size < CONTAINERS_MAX) containers.set(id, join(podFolder, name))
  }
  return containers
}

/**
 * Processes of the group that the OOM killer has killed since the group was made; undefined when the group is gone.
 * v2 counts its descendants' too and keeps them when they are gone (kernel: Documentation/admin-guide/cgroup-v2.rst); v1 counts its own.
 */
export function oomKillsOf(folder: string, version: 1 | 2): number | undefined {
  const text = readShort(`${folder}/${version === 2 ? 'memory.events' : 'memory.oom_control'}`)
  const at = text?.indexOf(COUNTER) ?? -1
  return text === undefined || at < 0 ? undefined : Number.parseInt(text.slice(at + COUNTER.length), 10)
}

const COUNTER = '\noom_kill '
const short = Buffer.alloc(1024)

/** The beginning of a small file that is read all the time: three system calls, where readFile makes six. */
function readShort(file: string): string | undefined {
  let fd = -1
  try {
    fd = openSync(file, 'r')
    return short.toString('latin1', 0, readSync(fd, short, 0, short.length, 0))
  } catch (error) {
    if (GONE.has(systemCode(error) ?? '')) return undefined
    throw error
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}

/** A control group's file; undefined when it is not there, or its group goes while it is read. */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1')
  } catch (error) {
    if (GONE.has(systemCode(error) ?? '')) return undefined
    throw error
  }
}

const GONE = new Set(['ENOENT', 'ENODEV', 'ENOTDIR', 'EACCES', 'EPERM', 'EINVAL', 'EOPNOTSUPP', 'EISDIR'])

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (GONE.has(systemCode(error) ?? '')) return []
    throw error
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch (error) {
    if (GONE.has(systemCode(error) ?? '')) return []
    throw error
  }
}
