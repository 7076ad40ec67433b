// The verbs of a running node: what each does, the ways in (socket, and the control actor for NATS), and what outlives a thread's restart.
import type { Logger } from 'pino'
import type { NodePlan } from '../actors/plan.js'
import type { ActorPlan } from '../runtime/group-host.js'
import type { Config } from '../protocol/config/schema.js'
import type { BreakerAction } from '../protocol/control/verbs.js'
import { MillraceError, saidOf } from '../protocol/errors.js'
import type { Message, MessageOf } from '../protocol/messages.js'
import type { NodeStatus } from '../protocol/status.js'
import { systemClock } from '../runtime/clock.js'
import { effectiveConfig } from '../runtime/config/effective.js'
import { createControl } from '../runtime/control/control.js'
import { type ControlSocket, startControlSocket } from '../runtime/control/socket.js'
import type { TapSource } from '../runtime/http/tap.js'
import type { Metrics } from '../runtime/metrics.js'
import type { Supervisor } from '../runtime/supervisor.js'
import { createCaptureRequests } from './capture-requests.js'
import type { LiveSampling } from './live-sampling.js'
import type { NodeSettings } from './node-settings.js'

const WHY_NOT: Readonly<Record<string, string>> = {
  capture: 'it needs a source of the type kubernetes, and something in capture.detect',
}

/** Beyond `settle`, until a capture is on disk; many may be before it. */
const CAPTURE_WAIT_MS = 10_000

export interface NodeControlOptions {
  readonly config: Config
  readonly plan: NodePlan
  readonly log: Logger
  readonly metrics: Metrics
  readonly settings: NodeSettings
  readonly boost: LiveSampling['boost']
  readonly tap: TapSource
  readonly supervisor: () => Supervisor
  status(): NodeStatus
  /** Reads the configuration file again; absent where there is none. */
  readonly reload: (() => unknown) | undefined
}

export interface NodeControl {
  /** True when the message was for it. */
  onMessage(from: string, message: Message): boolean
  /** These groups were started again, and know nothing of what was told to their actors. */
  onUp(groups: readonly string[]): void
  /** What an operator has impaired, for the status. */
  impaired(): string[]
  /** Opens the socket once the data folder is locked: now, or when groups that went down are up. */
  open(): Promise<void>
  close(): Promise<void>
}

export function createNodeControl(options: NodeControlOptions): NodeControl {
  const { config, plan, log, settings } = options
  const held = new Map<string, BreakerAction>()
  const talks = new Map<number, AbortController>()
  const captures = createCaptureRequests({
    clock: systemClock,
    waitMs: config.capture.settle + CAPTURE_WAIT_MS,
    perHour: config.capture.per_hour,
    send: (message) => send('capture', message),
  })
  // Whatever the node's level is: who changed what must be found again.
  const audit = log.level === 'silent' ? log : log.child({}, { level: 'info' })
  let drained = false
  let socket: ControlSocket | undefined
  let opened = false
  let closed = false

  function has(actor: string): boolean {
    return plan.actors.some(({ name }) => name === actor)
  }

  function send(to: string, message: Message): void {
    options.supervisor().send(to, message)
  }

  function drain(on: boolean): unknown {
    drained = on
    hold(plan.actors.map(({ name }) => name))
    const { journal, backends } = options.status()
    const lagFrames = Object.fromEntries(
      Object.entries(backends).map(([name, { lagFrames: lag }]) => [name, lag]),
    )
    return { drained, tailSeq: journal.tailSeq, lagFrames }
  }

  /** A node that only writes has no sources to stop: it takes no more from JetStream. */
  function hold(actors: readonly string[]): void {
    const sources = has('sample') ? ['sample'] : plan.actors.flatMap(receivers)
    for (const actor of sources) if (actors.includes(actor)) send(actor, { type: 'hold', held: drained })
  }

  function demand(actor: string, verb: string): void {
    if (!has(actor))
      throw new MillraceError(
        'control.unsupported',
        `${verb}: this node has no actor ${actor}: ${WHY_NOT[actor] ?? 'its configuration asks for none'}`,
      )
  }

  const control = createControl(
    {
      status: options.status,
      actors: () => ({ groups: options.supervisor().groups(), actors: options.status().actors }),
      config: () => ({
        origin: settings.origin(),
        config: effectiveConfig({ ...config, sampling: settings.current() }),
      }),
      drain: () => drain(true),
      resume: () => drain(false),
      reload() {
        if (options.reload === undefined)
          throw new MillraceError('control.unsupported', 'reload: this node was started without a file')
        return options.reload()
      },
      breaker(backend, action) {
        if (!has(`writer.${backend}`)) {
          const known = Object.keys(config.backends).join(', ')
          throw new MillraceError('usage.control', `breaker: no backend ${backend}; there are ${known}`)
        }
        if (action === 'reset') held.delete(backend)
        else held.set(backend, action)
        send(`writer.${backend}`, { type: 'breaker', action })
        return { backend, action }
      },
      async boost({ match, forMs }) {
        demand('traffic', 'boost')
        const outcome = await options.boost(match, forMs === 0 ? 0 : Date.now() + forMs)
        return 'ended' in outcome
          ? { match, ...outcome }
          : { match, until: new Date(outcome.untilMs).toISOString() }
      },
      restart(actor) {
        const group = plan.groups.find((each) => each.group === actor || each.actors.includes(actor))
        if (group === undefined) {
          const known = plan.actors.map(({ name }) => name).join(', ')
          throw new MillraceError('usage.control', `restart: no actor ${actor}; there are ${known}`)
        }
        options.supervisor().restart(group.group)
        return group
      },
      capture(what) {
        demand('capture', 'capture')
        return captures.ask(what)
      },
      tap: options.tap,
    },
    log,
    (verb, outcome) => options.metrics.add('control_requests_total', 1, { verb, outcome }),
  )

  async function answer({ id, envelope, known }: MessageOf<'ctl'>): Promise<void> {
    const ending = new AbortController()
    talks.set(id, ending)
    const said = await control.handle(envelope, {
      via: 'nats',
      readOnly: config.nats?.control === 'read',
      stream: {
        onLines: (ndjson) => send('control', { type: 'ctl_lines', id, ndjson }),
        signal: ending.signal,
      },
      ...(known === undefined ? {} : { known }),
    })
    send('control', { type: 'ctl_answer', id, answer: said })
    if (!said.ok || envelope.verb !== 'tap') talks.delete(id)
  }

  function cancel(id: number): void {
    talks.get(id)?.abort()
    talks.delete(id)
  }

  async function offered({ offer, sampling, origin: from }: MessageOf<'settings_offered'>): Promise<void> {
    let refused: string | undefined
    try {
      const applied = await settings.fromCluster(sampling)
      const told = { event: 'settings', origin: settings.origin(), ...from, applied_ms: applied?.appliedMs }
      const text =
        from.revision === 0 ? "the file's count: the cluster has none" : "the cluster's are followed"
      audit.info(told, `settings: ${text}`)
    } catch (error) {
      refused = saidOf(error)
      log.error(
        { event: 'settings', ...from, reason: refused },
        "the cluster's sampling settings are refused",
      )
    }
    const answered = refused === undefined ? {} : { refused }
    send('control', { type: 'settings_answered', offer, ...answered })
  }

  /** Only a node whose groups are all up has the data folder's lock. */
  async function open(): Promise<void> {
    if (opened || closed || !Object.values(options.supervisor().groups()).every(({ up }) => up)) return
    opened = true
    socket = await startControlSocket(config.node.data_dir, control, log)
    if (closed) await socket?.close()
  }

  return {
    onMessage(_from, message) {
      if (message.type === 'ctl') void answer(message)
      else if (message.type === 'ctl_cancel') cancel(message.id)
      else if (message.type === 'settings_offered') void offered(message)
      else if (message.type === 'capture_answer') captures.answered(message)
      else return false
      return true
    },
    onUp(groups) {
      const actors = plan.groups.filter(({ group }) => groups.includes(group)).flatMap((each) => each.actors)
      if (drained) hold(actors)
      for (const [backend, action] of held)
        if (actors.includes(`writer.${backend}`)) send(`writer.${backend}`, { type: 'breaker', action })
      if (actors.includes('capture')) captures.end()
      if (actors.includes('control')) for (const id of talks.keys()) cancel(id)
      void open()
    },
    impaired: () => (drained ? ['drained by an operator: sources wait; `millrace ctl resume` goes on'] : []),
    open,
    async close() {
      closed = true
      for (const id of [...talks.keys()]) cancel(id)
      captures.end()
      await socket?.close()
    },
  }
}

const receivers = ({ name, kind }: ActorPlan): string[] => (kind === 'receiver' ? [name] : [])
