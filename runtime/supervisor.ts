// The supervisor: starts every thread group as a piscina task, links and restarts them, and gives up after too many crashes.
import { MessageChannel } from 'node:worker_threads'
import type { Logger } from 'pino'
import type { Message } from '../protocol/messages.js'
import { MillraceError, type WireError } from '../protocol/errors.js'
import type { Clock } from './clock.js'
import type { ActorPlan, FromGroup, GroupTask, ToGroup } from './group-host.js'
import { createGroupThread, type GroupThread } from './group-thread.js'
import { freeSlots } from './slots.js'
import { linkedGroups, type GroupPlan } from './placement.js'
import { createRestartPolicy, type RestartPolicyOptions } from './restart-policy.js'
import { decodeWire, encodeWire } from './wire.js'

export interface SupervisorOptions {
  readonly groups: readonly GroupPlan[]
  readonly actors: readonly ActorPlan[]
  /** What every group's task shares. */
  readonly shared: Pick<GroupTask, 'node' | 'once' | 'arena' | 'live' | 'logLevel' | 'kernel'>
  /** The module that piscina runs: its default export takes a GroupTask. */
  readonly workerFile: string
  readonly restarts: RestartPolicyOptions
  readonly heapMegabytesMax: number
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** At each start of groups, when all their modules are loaded and no actor has started. */
  onLoaded?(): void
  onMessage(from: string, message: Message): void
  onMetrics(group: string, snapshot: unknown[]): void
  /** A group's thread ended without being asked to; its gauges are void. */
  onDown(group: string): void
  /** These groups were started again. */
  onUp(groups: readonly string[]): void
  /** Too many crashes: the node must end with a failure. */
  onGiveUp(error: Error): void
}

export interface GroupStatus {
  /** Its thread runs and its actors have started: ports are bound, the journal is open. */
  readonly up: boolean
  readonly restarts: number
  /** Those of the restarts that `restart` asked for, from the moment it did. */
  readonly asked: number
  readonly actors: readonly string[]
}

export interface Supervisor {
  /** Resolves when all groups are up and their actors started: the journal is open, ports are bound. */
  start(): Promise<void>
  send(to: string, message: Message): void
  /** Stops the groups that hold these actors, in this order, each within the bound; then terminates them. */
  stopGroups(groups: readonly string[], timeoutMs: number): Promise<void>
  /** Terminates a group's thread as a crash would (for tests). */
  kill(group: string): void
  /** The same on an operator's word: it starts again at once, and no limit counts it. */
  restart(group: string): void
  groups(): Record<string, GroupStatus>
}

interface Running {
  readonly plan: GroupPlan
  readonly thread: GroupThread
  readonly up: Promise<void>
  readonly started: Promise<void>
  readonly ended: Promise<void>
  hasStarted: boolean
  expected: boolean
  asked: boolean
}

/** What a group tells for others to hear. */
type Told = Extract<FromGroup, { kind: 'actor' | 'metrics' | 'fault' }>

const UP_TIMEOUT_MS = 30_000
/** Error codes of faults that a restart cannot mend. */
const OPERATOR_FAULTS = /^(config\.|http\.|journal\.locked|journal\.directory)/

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const running = new Map<string, Running>()
  /** Of groups that went down by themselves: resolves when the thread is gone. */
  const leaving = new Map<string, Promise<void>>()
  const restarts = new Map<string, number>()
  const askedFor = new Map<string, number>()
  const policy = createRestartPolicy(options.restarts, options.clock, options.random)
  const routes = Object.fromEntries(
    options.groups.flatMap(({ group, actors }) => actors.map((actor) => [actor, group])),
  )
  let epoch = 0
  let stopping = false
  let restarting: Set<string> | undefined

  function launch(plan: GroupPlan): Running {
    const members = new Set(plan.actors)
    let onUp = (): void => undefined
    let onStarted = (): void => undefined
    const up = new Promise<void>((resolve) => (onUp = resolve))
    const started = new Promise<void>((resolve) => (onStarted = resolve))
    const thread = createGroupThread({
      ...options,
      task: {
        ...options.shared,
        group: plan.group,
        epoch,
        actors: options.actors.filter((actor) => members.has(actor.name)),
        routes,
      },
      onMessage(message) {
        // A group that went down is void: what its actors tell until their thread is ended is not its successor's.
        if ((running.get(plan.group) !== entry || entry.expected) && !stopping) return
        if (message.kind === 'up') return onUp()
        if (message.kind !== 'started') return receive(plan, message)
        entry.hasStarted = true
        onStarted()
      },
    })
    const ended = thread.done.then(
      () => downed(entry, undefined),
      (error: unknown) => downed(entry, error),
    )
    const entry: Running = {
      plan,
      thread,
      up,
      started,
      ended,
      hasStarted: false,
      expected: false,
      asked: false,
    }
    running.set(plan.group, entry)
    return entry
  }

  function receive(plan: GroupPlan, message: Told): void {
    if (message.kind === 'metrics') options.onMetrics(plan.group, message.snapshot)
    else if (message.kind === 'actor') {
      const { from, message: inner } = decodeWire(message.wire)
      options.onMessage(from, inner)
    } else {
      const { code, message: text, stack } = message.error
      if (OPERATOR_FAULTS.test(code)) return
      options.log.error({ group: plan.group, code, stack }, `actor failed: ${text}`)
    }
  }

  function tell(
    group: string,
    message: ToGroup,
    transfer: readonly (ArrayBuffer | MessageChannel['port1'])[] = [],
  ): void {
    running.get(group)?.thread.tell(message, transfer)
  }

  /** Opens a channel between each of the fresh groups and every other group. */
  function connect(fresh: readonly string[]): void {
    const names = [...running.keys()]
    const seen = new Set<string>()
    for (const left of fresh) {
      seen.add(left)
      for (const right of names) {
        if (seen.has(right)) continue
        const { port1, port2 } = new MessageChannel()
        tell(left, { kind: 'peer', group: right, port: port1 }, [port1])
        tell(right, { kind: 'peer', group: left, port: port2 }, [port2])
      }
    }
  }

  async function bringUp(plans: readonly GroupPlan[]): Promise<readonly Running[]> {
    epoch++
    const fresh = plans.map(launch)
    connect(plans.map(({ group }) => group))
    await Promise.race([
      Promise.all(fresh.map((entry) => Promise.race([entry.up, entry.ended]))),
      new Promise<void>((_, reject) => {
        const timer = setTimeout(
          () => reject(new MillraceError('runtime.start', 'a thread did not come up')),
          UP_TIMEOUT_MS,
        )
        timer.unref()
      }),
    ])
    options.onLoaded?.()
    for (const { plan } of fresh) tell(plan.group, { kind: 'go' })
    return fresh
  }

  /** A group that goes down instead is restarted, or ends the node: that is told elsewhere. */
  async function start(): Promise<void> {
    const fresh = await bringUp(options.groups)
    await Promise.all(fresh.map((entry) => Promise.race([entry.started, entry.ended])))
  }

  function downed(entry: Running, error: unknown): void {
    leaving.set(entry.plan.group, entry.thread.destroy())
    if (running.get(entry.plan.group) === entry) running.delete(entry.plan.group)
    if (entry.expected || stopping) return
    options.onDown(entry.plan.group)
    // At the first start, a fault that only the operator can mend is not worth a restart.
    const fault = error instanceof Error ? (error.cause as WireError | undefined) : undefined
    if (epoch === 1 && fault !== undefined && OPERATOR_FAULTS.test(fault.code)) {
      return options.onGiveUp(new MillraceError(fault.code, fault.message))
    }
    const crash = error instanceof Error ? error.message : 'ended without being told to'
    const reason = entry.asked ? 'a restart was asked for' : crash
    options.log[entry.asked ? 'info' : 'error']({ group: entry.plan.group, reason }, 'thread group went down')
    recover(entry, reason).catch((failure: unknown) =>
      options.onGiveUp(failure instanceof Error ? failure : new Error(String(failure))),
    )
  }

  async function recover({ plan, asked }: Running, reason: string): Promise<void> {
    // A second crash while a restart waits joins it.
    const first = restarting === undefined
    const joined = (restarting ??= new Set())
    for (const { group } of linkedGroups(plan, options.groups)) {
      if (asked && !joined.has(group)) askedFor.set(group, (askedFor.get(group) ?? 0) + 1)
      joined.add(group)
    }
    if (first) {
      const delayMs = asked ? 0 : policy.next()
      if (delayMs === undefined) {
        const { max, windowMs } = options.restarts
        const text = `thread group ${plan.group} went down (${reason}); more than ${max} restarts in ${windowMs / 1000} s: giving up`
        return options.onGiveUp(new MillraceError('runtime.restarts', text))
      }
      await takeDown([...joined])
      await new Promise<void>((resolve) => options.clock.after(delayMs, resolve))
      restarting = undefined
      if (stopping) return
      const groups = [...joined]
      await takeDown(groups)
      if (groups.length === options.groups.length) freeSlots(options.shared.arena)
      for (const group of groups) restarts.set(group, (restarts.get(group) ?? 0) + 1)
      await bringUp(options.groups.filter(({ group }) => joined.has(group)))
      options.onUp(groups)
      options.log.warn({ groups, reason, delayMs: Math.round(delayMs) }, 'thread groups restarted')
    }
  }

  async function takeDown(groups: readonly string[]): Promise<void> {
    const entries = groups.flatMap((group) => running.get(group) ?? [])
    for (const entry of entries) {
      entry.expected = true
      options.onDown(entry.plan.group)
    }
    await Promise.all(entries.map(async (entry) => Promise.all([entry.thread.destroy(), entry.ended])))
    // A crashed group's task ends before its thread does: until then that could still give back slots which are others' by now.
    await Promise.all(groups.map(async (group) => leaving.get(group)))
  }

  return {
    start,
    send(to, message) {
      const group = routes[to]
      if (group === undefined) throw new MillraceError('runtime.no_actor', `no actor named ${to}`)
      const { wire, transfer } = encodeWire({ to, from: 'supervisor', message })
      tell(group, { kind: 'actor', wire }, transfer)
    },
    async stopGroups(groups, timeoutMs) {
      stopping = true
      for (const group of groups) {
        const entry = running.get(group)
        if (entry === undefined) continue
        entry.expected = true
        tell(group, { kind: 'stop' })
        await Promise.race([
          entry.ended,
          new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref()),
        ])
        await entry.thread.destroy()
      }
    },
    kill(group) {
      running.get(group)?.thread.kill()
    },
    restart(group) {
      const entry = running.get(group)
      if (entry === undefined) return
      entry.asked = true
      entry.thread.kill()
    },
    groups: () =>
      Object.fromEntries(
        options.groups.map(({ group, actors }) => [
          group,
          {
            up: running.get(group)?.hasStarted === true,
            restarts: restarts.get(group) ?? 0,
            asked: askedFor.get(group) ?? 0,
            actors,
          },
        ]),
      ),
  }
}
