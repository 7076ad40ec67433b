// capture: keeps the last words of containers that die: notices it, packs what is known, and brings it to the store past the journal.
import { join } from 'node:path'
import { systemCode } from '../../protocol/errors.js'
import type { MessageOf } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { createStatusLine } from '../status-line.js'
import type { Detection } from './detection.js'
import { readFigures } from './figures.js'
import { identify } from './identify.js'
import { createIncidents } from './incidents.js'
import { findPodUid } from './log-folder.js'
import { createOomWatch, type OomKill } from './oom-watch.js'
import { capturesFolder, type CapturePlan, readsNamespace } from './plan.js'
import { createPodEvents } from './pod-events.js'
import { createPodWatch } from './pod-watch.js'
import { createSpool } from './spool.js'
import { openStore } from './store.js'
import { createTaking } from './taking.js'
import { createUploads } from './uploads.js'

export interface CaptureActorOptions extends CapturePlan {
  /** There is an actor `traffic` that takes boosts. */
  readonly boosts: boolean
}

/** The capture's name, or the policy that has left it out. */
type Outcome = { readonly name: string } | { readonly refused: string }

export function capture(context: ActorContext, plan: CaptureActorOptions): Actor {
  const { clock, metrics, log } = context
  const { options, podsFrom, roots } = plan
  const logRoots = roots.map(({ path }) => path)
  const folder = capturesFolder(context.node.dataDir)
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
  const events = podsFrom === undefined ? undefined : createPodEvents(context, podsFrom)
  const cgroups = createOomWatch(context, {
    root: options.cgroup_root,
    pollMs: options.poll,
    onKill: (kill) => notice(detectionOf(kill, clock.now())),
  })
  const taking = createTaking({
    context,
    assembly: {
      context,
      options,
      pods,
      events: async (...of) => (pods.count() === undefined ? undefined : events?.ask(...of)),
    },
    spool,
    uploads,
    onLost: lost,
  })
  const underWay = new Set<Promise<unknown>>()
  let taken = 0
  let skipped = 0
  let lostCount = 0
  const sayStatus = createStatusLine(context)

  function notice(detection: Detection): void {
    if (detection.reason !== 'asked' && options.detect.includes(detection.reason)) begin(consider(detection))
  }

  function begin(work: Promise<unknown>): void {
    underWay.add(work)
    void work.catch(context.fail).finally(() => underWay.delete(work))
  }

  async function asked({ id, namespace, pod, container }: MessageOf<'capture'>): Promise<void> {
    const podUid = pods.uidOf(namespace, pod) ?? (await findPodUid(logRoots, namespace, pod))
    const names = {
      namespace,
      podName: pod,
      ...(container === undefined ? {} : { containerName: container }),
    }
    const outcome =
      podUid === undefined
        ? skip('unknown_pod')
        : await consider({ reason: 'asked', by: 'operator', atMs: clock.now(), podUid, ...names })
    context.send('supervisor', { type: 'capture_answer', id, ...outcome })
  }

  function skip(policy: string): Outcome {
    skipped++
    metrics.add('captures_skipped_total', 1, { policy })
    tellStatus()
    return { refused: policy }
  }

  async function consider(detection: Detection): Promise<Outcome> {
    const detectedMs = clock.monotonic()
    // Before anything else is waited for: the runtime is about to remove the group.
    const place = detection.cgroup ?? cgroups.placeOf(detection.podUid, detection.containerId)
    const figures = place === undefined ? undefined : readFigures(place)
    const named = await identify(detection, { atMs: clock.now(), figures }, pods, logRoots)
    const policy = readsNamespace(roots, named.namespace) ? incidents.refuse(named.detection) : 'namespace'
    if (policy !== undefined) return skip(policy)
    taken++
    metrics.add('captures_total', 1, { reason: detection.reason })
    const { namespace, podName: pod } = named
    const container = named.detection.containerName
    log.warn(
      { namespace, pod, container, reason: detection.reason },
      'the last words of a container are captured',
    )
    if (detection.reason !== 'asked') boost(detection.podUid)
    const name = await taking.take(named, detectedMs)
    // Not written down, it may be captured twice after a restart.
    await incidents.save().catch((error: unknown) => {
      log.warn({ detail: systemCode(error) ?? String(error) }, 'what was captured can not be written down')
    })
    tellStatus()
    return name === undefined ? { refused: 'lost' } : { name }
  }

  function boost(podUid: string): void {
    if (!plan.boosts || options.boost === 0) return
    context.send('traffic', {
      type: 'boost',
      match: { pod_uid: podUid },
      untilMs: clock.now() + options.boost,
    })
  }

  function lost(key: string, reason: string): void {
    lostCount++
    metrics.add('captures_lost_total', 1, { reason })
    log.error({ capture: key, reason }, 'a capture is lost')
    tellStatus()
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
    sayStatus(detail, fault === undefined ? undefined : `${waiting} captures wait on disk: ${fault}`)
  }

  return {
    async start() {
      await spool.recover()
      await incidents.recover()
      uploads.start()
      if (options.detect.includes('oom_killed')) cgroups.start()
      if (podsFrom !== undefined) context.send(podsFrom, { type: 'pods_wanted', replyTo: context.name })
      tellStatus()
    },
    on: {
      panic({ language, namespace, podName, podUid, containerName, atMs }) {
        notice({ reason: 'panic', by: 'log', atMs, podUid, namespace, podName, containerName, language })
      },
      capture: (message) => begin(asked(message)),
      pods: (message) => pods.apply(message.pods, message.all),
      pod_events: (message) => events?.answered(message.podUid, message.events),
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

function detectionOf({ podUid, containerId, kills, place }: OomKill, atMs: number): Detection {
  return {
    reason: 'oom_killed',
    by: 'cgroup',
    atMs,
    podUid,
    oomKills: kills,
    cgroup: place,
    ...(containerId === undefined ? {} : { containerId }),
  }
}
