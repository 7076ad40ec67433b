// One running node: the supervisor with its actors, HTTP, status and the orderly stop; used by run, demo and the benchmarks.
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { frameRawBytes } from '../actors/ingest-memory.js'
import { planNode } from '../actors/plan.js'
import { kernelModule } from '../kernel/kernel.js'
import type { Config } from '../protocol/config/schema.js'
import type { Message, MessageOf } from '../protocol/messages.js'
import type { NodeStatus } from '../protocol/status.js'
import { systemClock } from '../runtime/clock.js'
import { startHttp } from '../runtime/http/server.js'
import { setEngine } from '../runtime/engine.js'
import { watchHeap } from '../runtime/heap.js'
import type { TapSource } from '../runtime/http/tap.js'
import { createLiveMemory, openLiveSettings } from '../runtime/live-settings.js'
import { createMetrics } from '../runtime/metrics.js'
import { createMetricsMerge } from '../runtime/metrics-merge.js'
import { createArena } from '../runtime/slots.js'
import { createSupervisor } from '../runtime/supervisor.js'
import { createEmptied } from './emptied.js'
import { type AppliedSampling, createLiveSampling, type LiveSampling } from './live-sampling.js'
import { createNodeControl } from './node-control.js'
import { createNodeSettings } from './node-settings.js'
import { createStatus } from './node-status.js'

export interface NodeOptions {
  readonly config: Config
  readonly once: boolean
  readonly log: Logger
  /** Ends the wait for a start that takes long, such as the recovery of a large journal. */
  readonly stopAsked?: Promise<void>
  /** Reads the configuration file again, for `ctl reload`; throws why not. */
  readonly reload?: () => unknown
}

interface Tap {
  readonly message: MessageOf<'tap'>
  onLines(ndjson: string): void
}

export interface RunningNode {
  status(): NodeStatus
  metrics(): Promise<string>
  /** Where /status and the others are served. */
  readonly httpAddress: string
  /** Resolves when all input has ended (`run --once`, standard input) and is delivered; rejects when the node gave up. */
  readonly finished: Promise<void>
  readonly sampling: Omit<LiveSampling, 'told' | 'restarted' | 'boostAnswered'>
  /** A new section of the file; undefined: the cluster's stays in effect, and this one waits behind it. Throws as `sampling.reload`. */
  reloadFile(section: Config['sampling']): Promise<AppliedSampling | undefined>
  settingsOrigin(): 'file' | 'cluster'
  /** Drains within runtime.shutdown, then ends all threads. What is not delivered is in the journal. */
  stop(): Promise<void>
  /** Ends a group's thread as a crash would. */
  kill(group: string): void
}

const HEADER_ROOM_BYTES = 1024 * 1024
const HEAP_MEGABYTES_MAX = 512

/** Starts everything. Throws a MillraceError when a port is in use or the placement is wrong. */
export async function startNode({ config, once, log, stopAsked, reload }: NodeOptions): Promise<RunningNode> {
  const plan = planNode(config, once)
  const merge = createMetricsMerge()
  const journalGroup = groupOf(plan, 'journal')
  const live = createLiveMemory(JSON.stringify(config.sampling))
  const rawBytesMax = frameRawBytes(config.records)
  const arena = createArena({
    count: config.runtime.slots,
    rawBytesMax,
    encodedBytesMax: rawBytesMax + HEADER_ROOM_BYTES,
  })
  const taps = new Map<number, Tap>()
  let journalIdle: () => void = () => undefined
  const idle = new Promise<void>((resolve) => (journalIdle = resolve))
  let giveUp: (error: Error) => void = () => undefined
  const emptied = createEmptied(plan, (to, message) => supervisor.send(to, message))
  let isStopping = false
  const gaveUp = new Promise<never>((_, reject) => (giveUp = reject))
  gaveUp.catch(() => undefined)
  const metrics = createMetrics()
  const sampling = createLiveSampling({
    live: openLiveSettings(live),
    metrics,
    log,
    send: (to, message) => (samples ? supervisor.send(to, message) : undefined),
    nowMs: systemClock.now,
  })
  const samples = plan.actors.some(({ name }) => name === 'sample')
  // A node that only writes has no hot path that would take them up.
  const settings = createNodeSettings(
    config.sampling,
    samples ? sampling.apply : async () => ({ revision: 0, appliedMs: 0 }),
  )
  const status = createStatus({
    config,
    plan,
    merge,
    groups: () => supervisor.groups(),
    sampling: sampling.status,
    impaired: () => control.impaired(),
  })
  const supervisor = createSupervisor({
    groups: plan.groups,
    actors: plan.actors,
    shared: {
      node: { id: config.node.id, clusterId: config.node.cluster_id, dataDir: config.node.data_dir },
      once,
      arena,
      live,
      logLevel: config.runtime.log_level,
      kernel: kernelModule(),
    },
    workerFile: fileURLToPath(new URL('../actors/group.js', import.meta.url)),
    restarts: { max: config.runtime.restarts_max, windowMs: config.runtime.restart_window },
    heapMegabytesMax: HEAP_MEGABYTES_MAX,
    clock: systemClock,
    random: Math.random,
    log,
    onLoaded: setEngine,
    onMessage,
    onMetrics: (group, snapshot) => merge.update(group, snapshot),
    onDown: (group) => merge.retire(group),
    // A journal that was restarted knows nothing of the taps that are open.
    onUp: (groups) => {
      for (const group of groups) metrics.add('actor_restarts_total', 1, { group })
      if (groups.includes(groupOf(plan, 'traffic'))) sampling.restarted()
      if (groups.includes(journalGroup))
        for (const { message } of taps.values()) supervisor.send('journal', message)
      control.onUp(groups)
      if (groups.includes(journalGroup)) endInput()
      emptied.restarted(groups)
    },
    onGiveUp: giveUp,
  })
  function onMessage(from: string, message: Message): void {
    if (message.type === 'status') status.update(message)
    else if (message.type === 'sampling_status') sampling.told(message)
    else if (message.type === 'boost_answered') sampling.boostAnswered(message)
    else if (message.type === 'tapped') taps.get(message.id)?.onLines(message.ndjson)
    else if (message.type === 'idle' && message.actor === 'journal' && message.idle) journalIdle()
    else if (message.type === 'idle' && message.idle) emptied.told(message.actor)
    else if (control.onMessage(from, message)) return
    else if (message.type !== 'idle') log.warn({ from, type: message.type }, 'unexpected message')
  }
  /** The main thread counts too. */
  async function metricsText(): Promise<string> {
    merge.update('main', await metrics.snapshot())
    return merge.text()
  }
  /** A node without sources has no input that ends by itself. */
  function endInput(): void {
    if (!samples && (once || isStopping)) supervisor.send('journal', { type: 'end_of_input' })
  }
  let tapId = 0
  const tap: TapSource = (filter, limitPerSecond, onLines, signal) => {
    const id = ++tapId
    const message = { type: 'tap', id, filter, limitPerSecond } as const
    taps.set(id, { message, onLines })
    supervisor.send('journal', message)
    signal.addEventListener('abort', () => {
      taps.delete(id)
      supervisor.send('journal', { type: 'untap', id })
    })
  }
  const control = createNodeControl({
    config,
    plan,
    log,
    metrics,
    settings,
    boost: sampling.boost,
    tap,
    supervisor: () => supervisor,
    status: status.read,
    reload,
  })
  const http = await startHttp({
    listen: config.http.listen,
    health: status.read,
    metrics: metricsText,
    tap,
    log,
  })
  try {
    const begun = supervisor.start().then(() => {
      endInput()
      return control.open()
    })
    await Promise.race([begun, gaveUp, ...(stopAsked === undefined ? [] : [stopAsked])])
  } catch (error) {
    await http.close()
    await supervisor.stopGroups(allGroups(plan), 0)
    throw error
  }
  const endHeapWatch = watchHeap(systemClock)
  return {
    status: status.read,
    metrics: metricsText,
    httpAddress: http.address,
    // What this node has published and writes itself is in the backends, not only in JetStream.
    finished: Promise.race([once ? idle.then(() => emptied.ask()) : idle, gaveUp]),
    sampling,
    reloadFile: settings.fromFile,
    settingsOrigin: settings.origin,
    kill: supervisor.kill,
    async stop() {
      endHeapWatch()
      status.stopping()
      isStopping = true
      endInput()
      await control.close()
      const deadline = performance.now() + config.runtime.shutdown
      const left = () => Math.max(100, deadline - performance.now())
      const chain = plan.groups.filter(({ actors }) => actors.some(feedsJournal)).map(({ group }) => group)
      await supervisor.stopGroups(chain, left())
      await Promise.race([idle, gaveUp.catch(() => undefined), wait(left())])
      await supervisor.stopGroups(allGroups(plan).toSorted(journalLast(plan)), left())
      await http.close()
    },
  }
}

function feedsJournal(actor: string): boolean {
  return actor.startsWith('source.') || ['parse', 'enrich', 'sample'].includes(actor)
}

function allGroups(plan: ReturnType<typeof planNode>): string[] {
  return plan.groups.map(({ group }) => group)
}

function groupOf(plan: ReturnType<typeof planNode>, actor: string): string {
  return plan.groups.find(({ actors }) => actors.includes(actor))?.group ?? ''
}

/** Writers stop before the journal, which still takes their acknowledgements, and before the actor that takes their dead letters away. */
function journalLast(plan: ReturnType<typeof planNode>): (a: string, b: string) => number {
  const last = [groupOf(plan, 'journal'), groupOf(plan, 'letters')]
  return (a, b) => last.lastIndexOf(a) - last.lastIndexOf(b)
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs).unref())
}
