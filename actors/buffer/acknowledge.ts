// Acknowledges messages by their reply subject, on whichever connection there is: a message outlives the connection that it came by.
import type { NatsConnection } from 'nats'
import type { Delivery } from './holding.js'

/*
 * What the payloads mean: https://docs.nats.io/using-nats/developer/develop_jetstream/consumers#delivery-reliability
 */
const ACK = new TextEncoder().encode('+ACK')
const WORKING = new TextEncoder().encode('+WPI')
const NAK = new TextEncoder().encode('-NAK')

export interface Acknowledge {
  /** A connection is there: what could not be acknowledged before is now. */
  attach(connection: NatsConnection): void
  detach(): void
  /** The backend has it. */
  ack(delivery: Delivery): void
  /** The same, and resolves when the server has noted it; rejects when that is not known. */
  confirmed(delivery: Delivery): Promise<void>
  /** It takes longer. */
  working(delivery: Delivery): void
  /** Another may have it at once, or after a while. */
  giveBack(delivery: Delivery, delayMs?: number): void
  /** It is nothing that anybody could take. */
  refuse(delivery: Delivery, reason: string): void
}

const CONFIRM_TIMEOUT_MS = 5000

/** `owedMax`: acknowledgements kept while there is no connection; what is beyond is delivered and acknowledged again. */
export function createAcknowledge(owedMax: number): Acknowledge {
  let connection: NatsConnection | undefined
  let owed: Delivery[] = []

  function send({ reply }: Delivery, payload: Uint8Array): boolean {
    if (connection === undefined || connection.isClosed()) return false
    connection.publish(reply, payload)
    return true
  }

  function ack(delivery: Delivery): void {
    if (!send(delivery, ACK) && owed.length < owedMax) owed.push(delivery)
  }

  return {
    attach(fresh) {
      connection = fresh
      const late = owed
      owed = []
      for (const delivery of late) ack(delivery)
    },
    detach: () => void (connection = undefined),
    ack,
    async confirmed({ reply }) {
      if (connection === undefined) throw new Error('no connection')
      await connection.request(reply, ACK, { timeout: CONFIRM_TIMEOUT_MS })
    },
    working: (delivery) => void send(delivery, WORKING),
    giveBack(delivery, delayMs) {
      const payload =
        delayMs === undefined
          ? NAK
          : new TextEncoder().encode(`-NAK ${JSON.stringify({ delay: delayMs * 1_000_000 })}`)
      send(delivery, payload)
    },
    refuse: (delivery, reason) => void send(delivery, new TextEncoder().encode(`+TERM ${reason}`)),
  }
}
