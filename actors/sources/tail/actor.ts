// The actor around a tail engine: asks the journal for positions, then reads; obeys flow, drain and the end of a `once` run.
import type { RecordsOptions } from '../../../protocol/config/node.js'
import type { FilePosition } from '../../../protocol/positions.js'
import type { Actor, ActorContext } from '../../../runtime/actor.js'
import { createStatusLine } from '../../status-line.js'
import type { Conditions } from './conditions.js'
import { createTailEngine, type TailEngine, type TailEngineOptions, type TailOptions } from './engine.js'

export interface TailActorOptions {
  readonly context: ActorContext
  readonly source: string
  readonly tail: TailOptions
  readonly records: RecordsOptions
  readonly logs: TailEngineOptions['logs']
  readonly conditions: Conditions
  /** More to say in the status, and why the source is degraded. */
  status?(): {
    readonly reason?: string
    readonly detail: Readonly<Record<string, string | number | boolean>>
  }
  /** Awaited before the first search. */
  begin?(): Promise<void> | void
  end?(): void
}

/** How often the status is looked at; it is sent when it has changed. */
const STATUS_MS = 1000

export interface TailActor extends Actor {
  /** The engine, once positions have come. */
  engine(): TailEngine | undefined
}

export function tailActor(options: TailActorOptions): TailActor {
  const { context, source } = options
  let engine: TailEngine | undefined
  let flowOpen = true
  let draining = false
  const tellStatus = createStatusLine(context)
  let cancelStatus = (): void => {}

  function sendStatus(): void {
    const { detail = {}, reason } = options.status?.() ?? {}
    tellStatus({ ...engine?.state(), ...detail }, reason)
  }

  function begin(positions: readonly FilePosition[]): void {
    // The journal may answer again after its restart: reading goes on from what this actor knows.
    if (engine !== undefined || draining) return
    engine = createTailEngine({ ...options, positions, onFinished })
    engine.setFlow(flowOpen)
    Promise.resolve(options.begin?.())
      .then(() => engine?.start())
      .then(sendStatus, context.fail)
    cancelStatus = context.clock.every(STATUS_MS, sendStatus)
  }

  function onFinished(): void {
    sendStatus()
    context.send('supervisor', { type: 'idle', actor: context.name, idle: true })
    context.send('parse', { type: 'end_of_input' })
  }

  return {
    engine: () => engine,
    start() {
      context.send('journal', { type: 'positions_wanted', source, replyTo: context.name })
    },
    on: {
      positions: (message) => begin(message.positions.filter((position) => position.source === source)),
      flow(message) {
        flowOpen = message.open
        if (!draining) engine?.setFlow(flowOpen)
      },
      drain() {
        draining = true
        engine?.setFlow(false)
      },
      durable() {},
      end_of_input() {},
    },
    stop() {
      cancelStatus()
      engine?.stop()
      options.end?.()
    },
  }
}
