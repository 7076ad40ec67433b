// One simulated node of bench fleet: the link, the service, the traffic counts and the followed settings of a real one, without its records.
import { createControlService } from '../../actors/control/service.js'
import { followedKeys } from '../../actors/control/follower.js'
import { createTrafficExchange } from '../../actors/control/traffic-exchange.js'
import { trafficWiring } from '../../actors/control/traffic-wiring.js'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { SAMPLING_KEY } from '../../protocol/subjects.js'
import type { ServiceCount } from '../../protocol/traffic/wire.js'
import { systemClock } from '../../runtime/clock.js'
import { openConfigBucket } from '../../runtime/nats/config-bucket.js'
import { connectNats } from '../../runtime/nats/connection.js'
import { keepLinked } from '../../runtime/nats/link.js'

export interface SimulatedNode {
  /** Once a second. */
  tick(counts: readonly ServiceCount[]): void
  /** It knows what the others see. */
  informed(): boolean
}

export interface SimulatedNodeOptions {
  readonly id: string
  readonly nats: NatsOptions
  /** It knows the settings in force, or the connection is gone. */
  following(on: boolean): void
  arrived(revision: number): void
}

export function startSimulatedNode({ id, nats, following, arrived }: SimulatedNodeOptions): SimulatedNode {
  const node = { id, clusterId: 'fleet' }
  const random = Math.random
  const nothing = () => undefined
  let peers = 0
  const service = createControlService({
    node,
    version: '1.0.0',
    clock: systemClock,
    ask: nothing,
    cancel: nothing,
    refused: nothing,
  })
  const exchange = createTrafficExchange({
    clock: systemClock,
    random,
    peers: (services) => void (peers = services.length),
    refused: nothing,
  })
  keepLinked({
    connect: () => connectNats(nats, id),
    async setUp(connection) {
      await service.attach(connection)
      exchange.attach(trafficWiring(connection, node, exchange))
      void follow(connection)
    },
    changed({ up }) {
      if (up) return
      service.detach()
      exchange.detach()
      following(false)
    },
    complaint: nothing,
    retry: nats.retry,
    clock: systemClock,
    random,
  })

  async function follow(connection: Parameters<typeof openConfigBucket>[0]): Promise<void> {
    while (!connection.isClosed()) {
      try {
        const bucket = await openConfigBucket(connection)
        for await (const entries of bucket.follow(followedKeys(id), { clock: systemClock, random })) {
          following(true)
          for (const { key, revision } of entries) if (key === SAMPLING_KEY) arrived(revision)
        }
      } catch {
        // As a node does, but sooner: a thousand nodes that ask at once are not all answered in time.
        await new Promise((resolve) => systemClock.after(1000 * random(), () => resolve(undefined)))
      }
    }
  }

  return {
    tick(counts) {
      exchange.local(counts)
      exchange.tick()
    },
    informed: () => peers > 0,
  }
}
