// Runs inside a worker thread: hosts one group's actors, routes their messages, reports to the supervisor.
import type { MessagePort } from 'node:worker_threads'
import type { WasmModule } from '../kernel/webassembly.js'
import type { Message } from '../protocol/messages.js'
import { MillraceError, toWireError, type WireError } from '../protocol/errors.js'
import type { Actor, ActorContext, ActorFactory } from './actor.js'
import { systemClock } from './clock.js'
import { createCredits, type CreditReturn } from './credits.js'
import { watchHeap } from './heap.js'
import { openLiveSettings, type LiveSettingsMemory } from './live-settings.js'
import { createLogger } from './log.js'
import { createMetrics } from './metrics.js'
import { openSlots, type SlotsArena } from './slots.js'
import { decodeWire, encodeWire, type Wire } from './wire.js'

export interface ActorPlan {
  readonly name: string
  /** Key of the registry that makes it. */
  readonly kind: string
  readonly options: unknown
}

/** Everything a group is started with; posted to the worker. */
export interface GroupTask {
  readonly group: string
  readonly epoch: number
  readonly actors: readonly ActorPlan[]
  /** Actor → group, for all actors of the node. */
  readonly routes: Readonly<Record<string, string>>
  readonly node: ActorContext['node']
  readonly once: boolean
  readonly arena: SlotsArena
  readonly live: LiveSettingsMemory
  readonly logLevel: string
  readonly control: MessagePort
  /** Compiled by the main thread; left out: by each thread that needs it. */
  readonly kernel?: WasmModule
}

/** supervisor → group */
export type ToGroup =
  | { readonly kind: 'peer'; readonly group: string; readonly port: MessagePort }
  | { readonly kind: 'go' }
  | { readonly kind: 'actor'; readonly wire: Wire }
  | { readonly kind: 'stop' }
  /** Do nothing any more: the thread is about to be ended. Answered with `halted`. */
  | { readonly kind: 'halt' }
/** group → supervisor */
export type FromGroup =
  /** Its actors are made. */
  | { readonly kind: 'up' }
  /** Its actors have started. */
  | { readonly kind: 'started' }
  | { readonly kind: 'actor'; readonly wire: Wire }
  | { readonly kind: 'metrics'; readonly snapshot: unknown[] }
  | { readonly kind: 'fault'; readonly error: WireError }
  | { readonly kind: 'halted' }

/** Makes an actor's factory by its kind; asked with the actor's options. */
export type Registry = Readonly<Record<string, (options: unknown) => Promise<ActorFactory<never>>>>

const METRICS_EVERY_MS = 1000

/** These carry the records onwards, or stop them, and are handled at once, in the sender's turn; all others wait for the next microtask. */
const FORWARD: ReadonlySet<string> = new Set([
  'origin',
  'origin_closed',
  'log_waits',
  'slab',
  'batch',
  'end_of_input',
  'append',
  // Else a source would read on for the rest of its turn.
  'flow',
])

/** Resolves when the group was told to stop and has stopped; rejects when an actor fails. */
export async function hostGroup(task: GroupTask, registry: Registry): Promise<void> {
  const failure = deferred<never>()
  const stopped = deferred<void>()
  const actors = new Map<string, Actor>()
  const peers = new Map<string, MessagePort>()
  const waiting = new Map<string, Wire[]>()
  const metrics = createMetrics()
  const post = (message: FromGroup, transfer: readonly ArrayBuffer[] = []) =>
    task.control.postMessage(message, [...transfer])
  function fail(error: unknown): void {
    post({ kind: 'fault', error: toWireError(error) })
    // The code travels as the cause: a rejection that crosses threads keeps nothing else of its class.
    const wire = toWireError(error)
    failure.reject(new Error(wire.message, { cause: wire }))
  }
  function deliver(to: string, from: string, message: Message): void {
    try {
      dispatch(actors.get(to), to, from, message)
    } catch (error) {
      fail(error)
    }
  }
  function send(from: string, to: string, message: Message): void {
    if (actors.has(to)) {
      if (FORWARD.has(message.type)) deliver(to, from, message)
      else queueMicrotask(() => deliver(to, from, message))
      return
    }
    const { wire, transfer } = encodeWire({ to, from, message })
    if (to === 'supervisor') return post({ kind: 'actor', wire }, transfer)
    const group = task.routes[to]
    if (group === undefined)
      return fail(new MillraceError('runtime.no_actor', `${from} sends ${message.type} to unknown ${to}`))
    const port = peers.get(group)
    if (message.type === 'slab') credits.sent(from, message.bytes.length)
    if (port !== undefined) port.postMessage(wire, transfer)
    else waiting.set(group, [...(waiting.get(group) ?? []), wire])
  }
  const credits = createCredits((actor, message) => deliver(actor, 'credits', message))
  function receive(wire: Wire | CreditReturn, port?: MessagePort): void {
    if ('creditBytes' in wire) return credits.returned(wire.creditBytes)
    const { to, from, message } = decodeWire(wire)
    deliver(to, from, message.type === 'flow' ? credits.flow(to, message) : message)
    if (message.type === 'slab')
      port?.postMessage({ creditBytes: message.bytes.length } satisfies CreditReturn)
  }
  function connect(group: string, port: MessagePort): void {
    peers.get(group)?.close()
    peers.set(group, port)
    port.on('message', (wire: Wire | CreditReturn) => receive(wire, port))
    for (const wire of waiting.get(group) ?? []) port.postMessage(wire)
    waiting.delete(group)
  }
  const shared = new Map<string, unknown>()
  const base = makeContext(task, metrics, shared, fail)
  for (const plan of task.actors) {
    const log = base.log.child({ actor: plan.name })
    const context: ActorContext = {
      ...base,
      name: plan.name,
      log,
      send: (to, message) => send(plan.name, to, message),
    }
    try {
      const load = registry[plan.kind]
      if (load === undefined) throw new MillraceError('runtime.no_actor', `no actor of kind ${plan.kind}`)
      const make = (await load(plan.options)) as ActorFactory<unknown>
      actors.set(plan.name, make(context, plan.options))
    } catch (error) {
      fail(error)
    }
  }
  // Listened to from here on: no message may meet an actor that is not made yet.
  const gone = deferred<void>()
  let ended = false
  task.control.on('message', (message: ToGroup) => {
    if (message.kind === 'halt') return halt(post)
    if (ended) return
    if (message.kind === 'peer') connect(message.group, message.port)
    else if (message.kind === 'actor') receive(message.wire)
    else if (message.kind === 'go') gone.resolve()
    else stopped.resolve()
  })
  post({ kind: 'up' })
  const reporting = setInterval(() => void report(metrics, post), METRICS_EVERY_MS)
  const endHeapWatch = watchHeap(systemClock)
  try {
    // All groups are made before one starts, so that no first message meets an actor that is not there yet.
    await Promise.race([gone.promise, stopped.promise, failure.promise])
    for (const actor of actors.values()) await Promise.race([started(actor, fail), failure.promise])
    post({ kind: 'started' })
    await Promise.race([stopped.promise, failure.promise])
    for (const actor of actors.values()) await Promise.race([actor.stop?.(), failure.promise])
    await report(metrics, post)
  } finally {
    clearInterval(reporting)
    endHeapWatch()
    ended = true
    for (const port of peers.values()) port.close()
  }
}

/** Node aborts the whole process when a thread is ended within a call from its sockets or from zlib; here, nothing of that is under way. */
function halt(post: (message: FromGroup) => void): void {
  post({ kind: 'halted' })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

function makeContext(
  task: GroupTask,
  metrics: ActorContext['metrics'],
  shared: Map<string, unknown>,
  fail: (error: unknown) => void,
): Omit<ActorContext, 'name' | 'send'> {
  return {
    node: task.node,
    fail,
    clock: systemClock,
    random: Math.random,
    log: createLogger(task.logLevel).child({ group: task.group }),
    metrics,
    slots: openSlots(task.arena),
    live: openLiveSettings(task.live),
    epoch: task.epoch,
    once: task.once,
    local<T>(key: string, make: () => T): T {
      if (!shared.has(key)) shared.set(key, make())
      return shared.get(key) as T
    },
  }
}

function dispatch(actor: Actor | undefined, to: string, from: string, message: Message): void {
  const handler = actor?.on[message.type] as ((message: Message, from: string) => void) | undefined
  if (handler === undefined) {
    throw new MillraceError('runtime.no_handler', `${to} has no handler for ${message.type} from ${from}`)
  }
  handler(message, from)
}

async function started(actor: Actor, fail: (error: unknown) => void): Promise<void> {
  try {
    await actor.start?.()
  } catch (error) {
    fail(error)
  }
}

async function report(metrics: ActorContext['metrics'], post: (message: FromGroup) => void): Promise<void> {
  const snapshot = await metrics.snapshot()
  post({ kind: 'metrics', snapshot })
}

function deferred<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
