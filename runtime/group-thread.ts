// One thread group's thread: a piscina pool of one, its control channel, and how the thread is ended.
import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { Logger } from 'pino'
import type { Clock } from './clock.js'
import type { FromGroup, GroupTask, ToGroup } from './group-host.js'

export interface GroupThreadOptions {
  /** The module that piscina runs: its default export takes a GroupTask. */
  readonly workerFile: string
  readonly heapMegabytesMax: number
  readonly clock: Clock
  readonly log: Logger
  readonly task: Omit<GroupTask, 'control'>
  onMessage(message: Exclude<FromGroup, { kind: 'halted' }>): void
}

export interface GroupThread {
  /** Resolves when the group was told to stop and has stopped; rejects when it fails or its thread ends. */
  readonly done: Promise<void>
  tell(message: ToGroup, transfer?: readonly (ArrayBuffer | MessageChannel['port1'])[]): void
  /** Ends the thread as a crash would: `done` rejects. */
  kill(): void
  /** Ends the thread, and resolves when it is gone. */
  destroy(): Promise<void>
}

/** A thread that does not answer in that time is ended in the middle of what it does. */
const HALT_TIMEOUT_MS = 1000
/** A thread that needs longer to end is told of. */
const GONE_SLOW_MS = 10_000
/**
 * A thread's young generation, all three parts. V8's 48 are touched one after the other before they are used again, which costs memory
 * and saves no work: what lives longer than a frame is little.
 */
const YOUNG_MEGABYTES_MAX = 12

export function createGroupThread(options: GroupThreadOptions): GroupThread {
  const { clock, log, task } = options
  const { group } = task
  const { port1: control, port2 } = new MessageChannel()
  const pool = new Piscina({
    filename: options.workerFile,
    minThreads: 1,
    maxThreads: 1,
    // Tasks run for the node's life and need their event loop, so the thread must not block waiting for another task.
    atomics: 'disabled',
    resourceLimits: {
      maxOldGenerationSizeMb: options.heapMegabytesMax,
      maxYoungGenerationSizeMb: YOUNG_MEGABYTES_MAX,
    },
  })
  // The pool forgets a thread that has thrown before it is gone: what it had given to the disk may still arrive there.
  const gone = new Promise<void>((resolve) => pool.threads[0]?.once('exit', () => resolve()))
  pool.on('error', (error) => log.error({ group, err: error }, 'thread error outside its task'))
  let onHalted = (): void => undefined
  const halted = new Promise<void>((resolve) => (onHalted = resolve))
  control.on('message', (message: FromGroup) => {
    if (message.kind === 'halted') onHalted()
    else options.onMessage(message)
  })
  const tell: GroupThread['tell'] = (message, transfer = []) => control.postMessage(message, [...transfer])

  /** Resolves when the thread does nothing any more, or does not answer. */
  function halt(): Promise<void> {
    tell({ kind: 'halt' })
    return new Promise((resolve) => {
      const cancel = clock.after(HALT_TIMEOUT_MS, resolve)
      void Promise.race([halted, gone]).then(() => {
        cancel()
        resolve()
      })
    })
  }

  async function end(): Promise<void> {
    await halt()
    // A thread is gone when the disk has answered: with one that does not, only waiting is safe.
    const cancel = clock.after(GONE_SLOW_MS, () =>
      log.error({ group }, 'a thread does not end: the disk may not answer; it is waited for'),
    )
    await Promise.all([pool.destroy(), gone])
    cancel()
    control.close()
  }

  // Once only: a second destroy makes piscina replace the thread that the first one ends.
  let destroyed: Promise<void> | undefined
  return {
    done: pool.run({ ...task, control: port2 } satisfies GroupTask, {
      transferList: [port2],
    }) as Promise<void>,
    tell,
    kill: () => void halt().then(() => pool.threads[0]?.terminate()),
    destroy: () => (destroyed ??= end()),
  }
}
