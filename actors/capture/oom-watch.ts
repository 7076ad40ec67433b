// Watches the OOM counters of all pods' control groups by reading them again and again: they are small, and v1 has no other way for us.
import type { ActorContext } from '../../runtime/actor.js'
import {
  type CgroupPlace,
  type CgroupTree,
  findContainers,
  findPods,
  findTree,
  oomKillsOf,
} from './cgroup-tree.js'

export interface OomKill {
  readonly podUid: string
  /** Undefined when none of the pod's containers can be told to be the one. */
  readonly containerId?: string
  readonly kills: number
  readonly place: CgroupPlace
}

export interface OomWatch {
  start(): void
  stop(): void
  /** Where the pod's groups are, if they are there. */
  placeOf(podUid: string, containerId: string | undefined): CgroupPlace | undefined
  /** Pods that are watched; undefined where the machine has no control groups to watch. */
  pods(): number | undefined
}

interface WatchedContainer {
  readonly folder: string
  kills: number
  present: boolean
}
interface WatchedPod {
  readonly folder: string
  /** Of the pod's group (v2). */
  kills: number
  readonly containers: Map<string, WatchedContainer>
}

/** New pods are searched for once in so many polls: listing folders is what costs. */
const POLLS_PER_SEARCH = 10
/** v1 needs the containers' own groups, so they are listed more often. */
const POLLS_PER_LISTING = 4

export function createOomWatch(
  context: Pick<ActorContext, 'clock' | 'fail'>,
  options: { readonly root: string; readonly pollMs: number; onKill(kill: OomKill): void },
): OomWatch {
  const pods = new Map<string, WatchedPod>()
  let tree: CgroupTree | undefined
  let searchedMs = Number.NEGATIVE_INFINITY
  let isFirst = true
  let polls = 0
  let cancel = (): void => undefined

  function search({ version }: CgroupTree, found: ReturnType<typeof findPods>): void {
    const uids = new Set(found.map(({ podUid }) => podUid))
    for (const uid of pods.keys()) if (!uids.has(uid)) pods.delete(uid)
    for (const { podUid, folder } of found) {
      if (pods.has(podUid)) continue
      // What happened before this node came up is not news; a pod that is new since then starts at zero.
      const kills = isFirst ? (oomKillsOf(folder, version) ?? 0) : 0
      pods.set(podUid, { folder, kills, containers: new Map() })
    }
  }

  /** Brings the pod's containers up to date; returns those whose counter has grown, with by how much. */
  function lookAtContainers(pod: WatchedPod, version: 1 | 2, listing = true): Map<string, number> {
    const grown = new Map<string, number>()
    const found = listing
      ? findContainers(pod.folder)
      : new Map([...pod.containers].map(([id, { folder }]) => [id, folder]))
    for (const [id, container] of pod.containers) container.present = found.has(id)
    for (const [id, folder] of found) {
      const kills = oomKillsOf(folder, version)
      if (kills === undefined) continue
      const known = pod.containers.get(id)
      const before = known?.kills ?? (isFirst ? kills : 0)
      if (kills > before) grown.set(id, kills - before)
      pod.containers.set(id, { folder, kills, present: true })
    }
    return grown
  }

  function lookAt(podUid: string, pod: WatchedPod, version: 1 | 2, searching: boolean): void {
    if (version === 1) {
      const listing = searching || polls % POLLS_PER_LISTING === 0
      return tellOf(podUid, pod, version, lookAtContainers(pod, version, listing))
    }
    const kills = oomKillsOf(pod.folder, version)
    const isNews = kills !== undefined && kills > pod.kills
    if (!isNews && !searching) return
    const grown = lookAtContainers(pod, version)
    if (!isNews) return forgetGone(pod)
    const byPod = kills - pod.kills
    pod.kills = kills
    if (grown.size === 0) {
      // Its container's group is gone already; when only one went, it is that one.
      const gone = [...pod.containers].filter(([, { present }]) => !present).map(([id]) => id)
      grown.set(gone.length === 1 ? (gone[0] as string) : '', byPod)
    }
    tellOf(podUid, pod, version, grown)
    forgetGone(pod)
  }

  function forgetGone(pod: WatchedPod): void {
    for (const [id, { present }] of pod.containers) if (!present) pod.containers.delete(id)
  }

  function tellOf(podUid: string, pod: WatchedPod, version: 1 | 2, grown: Map<string, number>): void {
    for (const [id, kills] of grown) {
      const container = pod.containers.get(id)
      options.onKill({
        podUid,
        kills,
        place: placeAt(pod, container, version),
        ...(id === '' ? {} : { containerId: id }),
      })
    }
    if (version === 1) forgetGone(pod)
  }

  function poll(): void {
    const now = context.clock.monotonic()
    const searching = now - searchedMs >= POLLS_PER_SEARCH * options.pollMs
    if (searching) {
      searchedMs = now
      tree = findTree(options.root)
      if (tree !== undefined) search(tree, findPods(tree))
    }
    if (tree === undefined) return
    polls++
    for (const [podUid, pod] of pods) lookAt(podUid, pod, tree.version, searching)
    isFirst = false
  }

  function guarded(): void {
    try {
      poll()
    } catch (error) {
      context.fail(error)
    }
  }

  return {
    start() {
      guarded()
      cancel = context.clock.every(options.pollMs, guarded)
    },
    stop: () => cancel(),
    placeOf(podUid, containerId) {
      const pod = pods.get(podUid)
      if (pod === undefined || tree === undefined) return undefined
      return placeAt(
        pod,
        containerId === undefined ? undefined : pod.containers.get(containerId),
        tree.version,
      )
    },
    pods: () => (tree === undefined ? undefined : pods.size),
  }
}

function placeAt(pod: WatchedPod, container: WatchedContainer | undefined, version: 1 | 2): CgroupPlace {
  return {
    version,
    podFolder: pod.folder,
    ...(container === undefined ? {} : { containerFolder: container.folder }),
  }
}
