// A worker module with actors that count, for tests of the supervisor; the module that its pools run.
import { open, stat } from 'node:fs'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { MillraceError } from '../../protocol/errors.js'
import { type GroupTask, hostGroup, type Registry } from '../../runtime/group-host.js'

/** Asks `journal` for positions of what its options say, again and again, and passes the answers to the supervisor. */
function asker(context: ActorContext): Actor {
  let cancel = (): void => undefined
  let asked = 0
  return {
    start() {
      cancel = context.clock.every(5, () =>
        context.send('journal', {
          type: 'positions_wanted',
          source: `${context.epoch}:${asked++}`,
          replyTo: context.name,
        }),
      )
    },
    stop: () => cancel(),
    on: {
      positions: (message) => context.send('supervisor', message),
      drain: () => context.fail(new Error('told to fail')),
    },
  }
}

/** Throws outside of any handler when told to drain, while its read of a pipe, like a write to a slow disk, has no answer. */
function thrower(context: ActorContext, { pipe }: { pipe: string }): Actor {
  return {
    ...answerer(context, {}),
    on: {
      ...answerer(context, {}).on,
      drain() {
        open(pipe, 'r', () => undefined)
        // Taken up in turn: when this one has its answer, the one before is under way, and nothing can call it back.
        stat('.', () => {
          throw new Error('thrown by nobody')
        })
      },
    },
  }
}

function answerer(context: ActorContext, options: { failAtStart?: string }): Actor {
  return {
    start() {
      if (options.failAtStart !== undefined) throw new MillraceError(options.failAtStart, 'cannot start')
    },
    on: {
      positions_wanted: ({ source, replyTo }) =>
        context.send(replyTo, { type: 'positions', source, positions: [] }),
    },
  }
}

/** Counts at the beginning and at the end of each piece of its work; a deaf one never ends its first. */
function worker(context: ActorContext, { work, deaf }: { work: Int32Array; deaf?: boolean }): Actor {
  function toil(): void {
    Atomics.add(work, 0, 1)
    const end = performance.now() + (deaf === true ? Number.POSITIVE_INFINITY : 20)
    while (performance.now() < end);
    Atomics.add(work, 0, 1)
    setImmediate(toil)
  }
  return { ...answerer(context, {}), start: () => void setTimeout(toil, 10) }
}

const registry: Registry = {
  asker: async () => asker,
  answerer: async () => answerer,
  thrower: async () => thrower,
  worker: async () => worker,
}

export default (task: GroupTask): Promise<void> => hostGroup(task, registry)
