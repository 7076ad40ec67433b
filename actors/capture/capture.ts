// capture: keeps the last words of containers that die: notices it, packs what is known, and brings it to the store past the journal.
import { join } from 'node:path'
import type { PodEventText } from '../../protocol/pod.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { assemble, type Named } from './assemble.js'
import type { Detection } from './detection.js'
import { type Figures, readFigures } from './figures.js'
import { createIncidents } from './incidents.js'
import { findPodLogs } from './log-folder.js'
import { captureKey, captureName } from './name.js'
import { createOomWatch } from './oom-watch.js'
import { capturesFolder, type CapturePlan } from './plan.js'
import { createPodWatch } from './pod-watch.js'
import { createSpool } from './spool.js'
import { openStore } from './store.js'
import { createUploads } from './uploads.js'
import { systemCode } from '../../protocol/errors.js'

export interface CaptureActorOptions extends CapturePlan {
  /** There is an actor `traffic` that takes boosts. */
  readonly boosts: boolean
}

/** Put together at the same time; more wait their turn. The node's bound per hour bounds those. */
const AT_ONCE_MAX = 4

export function capture(context: ActorContext, plan: CaptureActorOptions): Actor {
  const { clock, metrics, log, node } = context
  const { options } = plan
  const folder = capturesFolder(node.dataDir)
  const spool = createSpool(join(folder, 'waiting'), options.disk_bytes_max, clock.now)
  const incidents = createIncidents({
    file: join(folder, 'recent.json'),
    ageMaxMs: options.age_max,
    perPodPerHour: options.per_pod_per_hour,
    perHour: options.per_hour,
    now: clock.now,
  })
  const uploads = createUploads({
    context,
    spool,
    retry: options.retry,
    open: () => openStore(plan.store, plan.nats, (key) => lost(key, 'store_bound')),
    onChange: tellStatus,
  })
  const pods = createPodWatch(clock.now, notice)
  const cgroups = createOomWatch(context, {
    root: options.cgroup_root,
    pollMs: options.poll,
    onKill({ podUid, containerId, kills, place }) {
      notice({
        reason: 'oom_killed',
        by: 'cgroup',
        atMs: clock.now(),
        podUid,
        oomKills: kills,
        cgroup: place,
        ...(containerId === undefined ? {} : { containerId }),
      })
    },
  })
  const eventWaiters = new Map<string, Set<(events: readonly PodEventText[]) => void>>()
  const underWay = new Set<Promise<void>>()
  const wakers: (() => void)[] = []
  let working = 0
  let taken = 0
  let skipped = 0
  let lostCount = 0
  let nameMs = 0
  let sentStatus = ''

  /** From the first sign on: what is about to vanish is read before anything else. */
  function notice(detection: Detection): void {
    if (!options.detect.includes(detection.reason)) return
    const work = consider(detection, clock.now(), clock.monotonic())
    underWay.add(work)
    void work.catch(context.fail).finally(() => underWay.delete(work))
  }

  async function consider(detection: Detection, detectedAtMs: number, detectedMs: number): Promise<void> {
    const place = detection.cgroup ?? cgroups.placeOf(detection.podUid, detection.containerId)
    const figures = place === undefined ? undefined : readFigures(place)
    const named = await identify(detection, detectedAtMs, figures)
    const policy = incidents.refuse(named.detection)
    if (policy !== undefined) {
      skipped++
      metrics.add('captures_skipped_total', 1, { policy })
      return tellStatus()
    }
    const { namespace, podName } = named
    taken++
    metrics.add('captures_total', 1, { reason: detection.reason })
    log.warn(
      { namespace, pod: podName, container: named.detection.containerName, reason: detection.reason },
      'a container has died; its last words are captured',
    )
    boost(named)
    await turn(named, detectedMs)
    // Not written down, it may be captured twice after a restart.
    await incidents.save().catch((error: unknown) => {
      log.warn({ detail: systemCode(error) ?? String(error) }, 'what was captured can not be written down')
    })
  }

  async function identify(detection: Detection, detectedAtMs: number, figures: Figures | undefined): Promise<Named> {
    const { podUid, containerId } = detection
    const logs = await findPodLogs(plan.logRoots, podUid)
    const pod = pods.podOf(podUid)
    const containerName =
      detection.containerName ??
      (containerId === undefined ? undefined : pods.containerOf(podUid, { id: containerId })?.name) ??
      (logs?.containers.length === 1 ? logs.containers[0] : undefined)
    return {
      detection: { ...detection, ...(containerName === undefined ? {} : { containerName }) },
      detectedAtMs,
      namespace: detection.namespace ?? pod?.namespace ?? logs?.namespace ?? 'unknown',
      podName: detection.podName ?? pod?.name ?? logs?.podName ?? podUid,
      logs,
      figures,
    }
  }

  function boost({ detection, namespace, podName }: Named): void {
    if (!plan.boosts || options.boost === 0) return
    const match = { namespace, pod: podName, pod_uid: detection.podUid }
    context.send('traffic', { type: 'boost', match, untilMs: clock.now() + options.boost })
  }

  async function turn(named: Named, detectedMs: number): Promise<void> {
    if (working >= AT_ONCE_MAX) await new Promise<void>((resolve) => wakers.push(resolve))
    working++
    try {
      await take(named, detectedMs)
    } finally {
      working--
      wakers.shift()?.()
    }
  }

  async function take(named: Named, detectedMs: number): Promise<void> {
    // Two containers of a pod may be found dead by the same look.
    nameMs = Math.max(nameMs + 1, named.detectedAtMs)
    const name = captureName(named.podName, nameMs)
    const key = captureKey(node.clusterId, named.namespace, name)
    const files = await assemble({ context, options, pods, events: askEvents }, named)
    // The archiver is loaded when something has died, and not before.
    const { packCapture } = await import('./bundle.js')
    const bytes = await packCapture(files, named.detectedAtMs)
    try {
      for (const given of await spool.add(key, bytes)) lost(given.key, 'disk_bound')
      uploads.hurry(key, detectedMs)
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      log.error({ capture: key, detail: systemCode(error) }, 'a capture can not be written to the disk; the store is tried at once')
      await uploads.direct(key, bytes).catch((fault: unknown) => lost(key, systemCode(fault) ?? 'store'))
    }
    tellStatus()
  }

  function lost(key: string, reason: string): void {
    lostCount++
    metrics.add('captures_lost_total', 1, { reason })
    log.error({ capture: key, reason }, 'a capture is lost')
    tellStatus()
  }

  function askEvents(
    namespace: string,
    podUid: string,
    signal: AbortSignal,
  ): Promise<readonly PodEventText[] | undefined> {
    if (plan.podsFrom === undefined || pods.count() === undefined) return Promise.resolve(undefined)
    context.send(plan.podsFrom, { type: 'pod_events_wanted', namespace, podUid, replyTo: context.name })
    return new Promise((resolve) => {
      const waiters = eventWaiters.get(podUid) ?? new Set()
      eventWaiters.set(podUid, waiters)
      function done(events?: readonly PodEventText[]): void {
        waiters.delete(done)
        if (waiters.size === 0) eventWaiters.delete(podUid)
        resolve(events)
      }
      waiters.add(done)
      signal.addEventListener('abort', () => done(), { once: true })
    })
  }

  function tellStatus(): void {
    const fault = uploads.fault()
    const waiting = spool.waiting().length
    metrics.set('captures_waiting', waiting)
    const detail = {
      captured: taken,
      stored: uploads.stored(),
      waiting,
      skipped,
      lost: lostCount,
      cgroup_pods: cgroups.pods() ?? 'no control groups',
      api_pods: pods.count() ?? 'not told',
    }
    const reason = fault === undefined ? {} : { reason: `${waiting} captures wait on disk: ${fault}` }
    const status = { type: 'status' as const, actor: context.name, ready: true, ...reason, detail }
    const text = JSON.stringify(status)
    if (text === sentStatus) return
    sentStatus = text
    context.send('supervisor', status)
  }

  return {
    async start() {
      await spool.recover()
      await incidents.recover()
      uploads.start()
      if (options.detect.includes('oom_killed')) cgroups.start()
      if (plan.podsFrom !== undefined)
        context.send(plan.podsFrom, { type: 'pods_wanted', replyTo: context.name })
      tellStatus()
    },
    on: {
      panic({ language, namespace, podName, podUid, containerName, atMs }) {
        notice({ reason: 'panic', by: 'log', atMs, podUid, namespace, podName, containerName, language })
      },
      pods(message) {
        pods.apply(message.pods, message.all)
      },
      pod_events({ podUid, events }) {
        for (const answer of eventWaiters.get(podUid) ?? []) answer(events)
      },
      drain() {},
      end_of_input() {},
    },
    async stop() {
      cgroups.stop()
      await Promise.all(underWay)
      await uploads.stop()
    },
  }
}
