// Tells the actor `capture` what becomes of the node's containers, from the one watch that the source has open anyway.
import { saidOf } from '../../../protocol/errors.js'
import type { ActorContext, Handlers } from '../../../runtime/actor.js'
import type { PodFacts } from '../../../protocol/pod.js'
import type { PodMeta, PodsApi } from './pods-api.js'

export interface PodReport {
  /** The API through which a pod's events can be asked for; undefined when there is none. */
  open(api: PodsApi | undefined): void
  pods(pods: readonly PodMeta[], all: boolean): void
  readonly on: Handlers
}

/** As many as the labels' table remembers. */
const PODS_MAX = 10_000
/** An answer that takes longer comes too late for the capture that asks. */
const EVENTS_TIMEOUT_MS = 2000

export function createPodReport(context: ActorContext): PodReport {
  const known = new Map<string, PodFacts>()
  let api: PodsApi | undefined

  function keep(facts: PodFacts): void {
    if (known.has(facts.uid) || known.size < PODS_MAX) known.set(facts.uid, facts)
  }

  function send(pods: readonly PodFacts[], all: boolean): void {
    context.send('capture', { type: 'pods', pods, all })
  }

  async function answerEvents(namespace: string, podUid: string, replyTo: string): Promise<void> {
    const signal = AbortSignal.timeout(EVENTS_TIMEOUT_MS)
    try {
      const events = (await api?.events?.(namespace, podUid, signal)) ?? []
      context.send(replyTo, { type: 'pod_events', podUid, events })
    } catch (error) {
      const detail = saidOf(error)
      context.metrics.add('source_errors_total', 1, { source: 'capture', reason: 'kubernetes_events' })
      context.log.warn({ podUid, detail }, "a pod's events cannot be listed; its capture goes without")
      context.send(replyTo, { type: 'pod_events', podUid, events: [] })
    }
  }

  return {
    open(opened) {
      api = opened
    },
    pods(pods, all) {
      const facts = pods.flatMap((pod) => (pod.facts === undefined ? [] : [pod.facts]))
      if (all) known.clear()
      facts.forEach(keep)
      send(facts, all)
    },
    on: {
      pods_wanted() {
        if (known.size > 0) send([...known.values()], true)
      },
      pod_events_wanted({ namespace, podUid, replyTo }) {
        void answerEvents(namespace, podUid, replyTo).catch(context.fail)
      },
    },
  }
}
