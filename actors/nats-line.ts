// One connection to NATS for the actors of a thread that put work there: each is told when it is up, and sets itself up on it.
import type { NatsConnection } from 'nats'
import type { NatsOptions } from '../protocol/config/nats.js'
import { saidOf } from '../protocol/errors.js'
import type { ActorContext } from '../runtime/actor.js'
import { sleep } from '../runtime/clock.js'
import type { Link } from '../runtime/nats/link.js'
import { linkToNats } from './nats-link.js'

export interface LineUser {
  /** Called on each fresh connection, and again after a rejection, which becomes the trouble. */
  up(connection: NatsConnection): Promise<void>
  /** The connection that it was set up on is gone. */
  down(): void
  /** Why it is not set up, in words; undefined: it is. */
  trouble(reason: string | undefined): void
}

export interface NatsLine {
  /** Returns what ends the part of this user; the last one closes the connection. */
  join(user: LineUser): () => Promise<void>
}

/** A stream that differs, or an account without JetStream, takes an operator. */
const AGAIN_MS = 10_000

/** The line of this thread, opened by its first user. */
export function natsLine(context: ActorContext, nats: NatsOptions): NatsLine {
  return context.local('nats_line', () => createLine(context, nats))
}

function createLine(context: ActorContext, nats: NatsOptions): NatsLine {
  const { clock, log, node } = context
  const users = new Map<LineUser, AbortController>()
  let link: Link | undefined
  let connection: NatsConnection | undefined
  let reason = 'connecting to NATS'

  /** What fails for one of them fails for it alone. */
  async function setUp(user: LineUser, on: NatsConnection): Promise<void> {
    const ended = users.get(user)
    while (ended?.signal.aborted === false && !on.isClosed()) {
      try {
        await user.up(on)
        // Gone meanwhile: what it has set up just now is of no use.
        return on === connection ? user.trouble(undefined) : user.down()
      } catch (error) {
        if (on.isClosed() || ended.signal.aborted) return
        const why = saidOf(error)
        log.error({ event: 'nats', reason: why }, 'work can not be put to NATS')
        user.trouble(why)
      }
      await sleep(clock, AGAIN_MS, ended.signal)
    }
  }

  function open(): Link {
    return linkToNats(context, nats, {
      name: `millrace ${node.clusterId}/${node.id} work`,
      async setUp(fresh) {
        connection = fresh
        for (const user of users.keys()) void setUp(user, fresh)
      },
      changed(state) {
        if (state.up) return
        connection = undefined
        reason = state.reason
        for (const user of users.keys()) {
          user.down()
          user.trouble(state.reason)
        }
      },
    })
  }

  return {
    join(user) {
      const ending = new AbortController()
      users.set(user, ending)
      if (connection === undefined) user.trouble(reason)
      else void setUp(user, connection)
      link ??= open()
      return async () => {
        ending.abort()
        users.delete(user)
        if (users.size > 0) return
        const last = link
        link = undefined
        connection = undefined
        await last?.stop()
      }
    },
  }
}
