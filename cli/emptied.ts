// When a run that ends has emptied JetStream into its backends: each receiver is asked, and tells when that is so.
import type { NodePlan } from '../actors/plan.js'
import type { Message } from '../protocol/messages.js'

export interface Emptied {
  /** Resolves when each receiver has told; at once on a node that has none. */
  ask(): Promise<void>
  told(actor: string): void
  /** These groups were started again, and know nothing of having been asked. */
  restarted(groups: readonly string[]): void
}

export function createEmptied(plan: NodePlan, send: (to: string, message: Message) => void): Emptied {
  const left = new Set(plan.actors.flatMap(({ name, kind }) => (kind === 'receiver' ? [name] : [])))
  let asked = false
  let done: () => void = () => undefined
  const emptied = new Promise<void>((resolve) => (done = resolve))
  return {
    ask() {
      asked = true
      if (left.size === 0) done()
      for (const actor of left) send(actor, { type: 'end_of_input' })
      return emptied
    },
    told(actor) {
      left.delete(actor)
      if (asked && left.size === 0) done()
    },
    restarted(groups) {
      if (!asked) return
      const again = plan.groups.filter(({ group }) => groups.includes(group)).flatMap(({ actors }) => actors)
      for (const actor of again) if (left.has(actor)) send(actor, { type: 'end_of_input' })
    },
  }
}
