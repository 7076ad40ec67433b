// Credits in bytes between threads: slabs on their way to another thread are bounded, and their source stops when they are spent.
import type { Message } from '../protocol/messages.js'

/** Bytes that may be under way from one thread to another before their source has to stop. */
const CREDIT_BYTES = 4 * 1024 * 1024

/** Receiver → sender: these bytes have been handled. */
export interface CreditReturn {
  readonly creditBytes: number
}

export interface Credits {
  /** A slab leaves for another thread. */
  sent(actor: string, bytes: number): void
  /** The other thread has handled this many bytes. */
  returned(bytes: number): void
  /** A flow message for an actor of this thread: it only opens when credits allow it too. Returns what to deliver. */
  flow(actor: string, message: Message & { type: 'flow' }): Message
}

/** `deliver` hands a flow message to a local actor. */
export function createCredits(deliver: (actor: string, message: Message) => void): Credits {
  let outstanding = 0
  const senders = new Set<string>()
  /** Actors that the ingest chain has stopped for reasons of its own. */
  const stopped = new Map<string, Message>()
  let spent = false
  return {
    sent(actor, bytes) {
      senders.add(actor)
      outstanding += bytes
      if (spent || outstanding < CREDIT_BYTES) return
      spent = true
      for (const sender of senders) deliver(sender, { type: 'flow', open: false, reason: 'parse is behind' })
    },
    returned(bytes) {
      outstanding -= bytes
      if (!spent || outstanding > CREDIT_BYTES / 2) return
      spent = false
      for (const sender of senders) if (!stopped.has(sender)) deliver(sender, { type: 'flow', open: true })
    },
    flow(actor, message) {
      if (message.open) stopped.delete(actor)
      else stopped.set(actor, message)
      if (message.open && spent && senders.has(actor))
        return { type: 'flow', open: false, reason: 'parse is behind' }
      return message
    },
  }
}
