// Asks the source that watches the pods for the Kubernetes events of one of them; an answer that does not come in time is done without.
import type { PodEventText } from '../../protocol/pod.js'
import type { ActorContext } from '../../runtime/actor.js'

export interface PodEvents {
  /** Undefined when the signal aborts first. */
  ask(namespace: string, podUid: string, signal: AbortSignal): Promise<readonly PodEventText[] | undefined>
  answered(podUid: string, events: readonly PodEventText[]): void
}

type Waiter = (events?: readonly PodEventText[]) => void

export function createPodEvents(context: Pick<ActorContext, 'name' | 'send'>, source: string): PodEvents {
  const waiting = new Map<string, Set<Waiter>>()
  return {
    ask(namespace, podUid, signal) {
      context.send(source, { type: 'pod_events_wanted', namespace, podUid, replyTo: context.name })
      return new Promise((resolve) => {
        const waiters = waiting.get(podUid) ?? new Set()
        waiting.set(podUid, waiters)
        function done(events?: readonly PodEventText[]): void {
          waiters.delete(done)
          if (waiters.size === 0) waiting.delete(podUid)
          resolve(events)
        }
        waiters.add(done)
        signal.addEventListener('abort', () => done(), { once: true })
      })
    },
    answered(podUid, events) {
      for (const done of waiting.get(podUid) ?? []) done(events)
    },
  }
}
