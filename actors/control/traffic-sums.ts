// The summing node's part: follows the counts of every node, lets go of those that fell silent, and says the sum.
import {
  createCountReceiver,
  createCountSum,
  type CountReceiver,
  type CountSum,
} from '../../protocol/traffic/receiver.js'
import { createCountSender } from '../../protocol/traffic/sender.js'
import { type CountsMessage, SERVICES_MAX, type ServiceCount } from '../../protocol/traffic/wire.js'
import type { Clock } from '../../runtime/clock.js'

export interface TrafficSums {
  /** Counts of a node, by its token. False: a message was lost, ask it for everything. Undefined: one node too many. */
  hear(node: string, message: CountsMessage): boolean | undefined
  /** The messages of this second; none in the first ones, while the nodes are still telling everything. */
  tick(): Uint8Array[]
  /** A follower lost a message. */
  refresh(): void
  nodes(): number
}

/** A node not heard for so long is taken out of the sum. */
export const NODE_GONE_MS = 5000
const NODES_MAX = 10_000
/** Asked nodes answer with their next message, which comes within a second. */
const GATHER_MS = 1500
/** Names of services that are gone stay in the sum until it is begun anew, which costs its followers nothing. */
const PLACES_FULL = SERVICES_MAX * 0.75
const RENEW_EVERY_MS = 600_000
const EVERYTHING_EVERY_S = 60

export function createTrafficSums(own: number, clock: Clock, askAll: () => void): TrafficSums {
  let sum = createCountSum()
  let nodes = new Map<string, { readonly receiver: CountReceiver; heardMs: number }>()
  const sender = createCountSender(own)
  let begunMs = clock.monotonic()
  let ticks = 0
  /** While a new sum is gathered, the last one is said. */
  let held: readonly ServiceCount[] | undefined

  function begin(next: CountSum): void {
    sum = next
    nodes = new Map()
    begunMs = clock.monotonic()
    askAll()
  }
  askAll()

  function letGo(): void {
    for (const [node, { receiver, heardMs }] of nodes) {
      if (clock.monotonic() - heardMs < NODE_GONE_MS) continue
      receiver.forget()
      nodes.delete(node)
    }
  }

  return {
    hear(node, message) {
      let entry = nodes.get(node)
      if (entry === undefined) {
        if (nodes.size >= NODES_MAX) return undefined
        entry = { receiver: createCountReceiver(sum), heardMs: 0 }
        nodes.set(node, entry)
      }
      entry.heardMs = clock.monotonic()
      return entry.receiver.hear(message)
    },
    tick() {
      letGo()
      const gathering = clock.monotonic() - begunMs < GATHER_MS
      if (!gathering) held = undefined
      else if (held === undefined) return []
      if (!gathering && sum.places() > PLACES_FULL && clock.monotonic() - begunMs > RENEW_EVERY_MS) {
        held = [...sum.services()]
        begin(createCountSum())
      }
      if (++ticks % EVERYTHING_EVERY_S === 0) sender.refresh()
      return sender.encode(held ?? sum.services())
    },
    refresh: () => sender.refresh(),
    nodes: () => nodes.size,
  }
}
