// enrich: renders what the host knows about an origin once, and hands every batch on with it.
import type { Origin } from '../protocol/messages.js'
import type { RecordsOptions } from '../protocol/config/node.js'
import { LEVELS } from '../protocol/levels.js'
import type { Actor, ActorContext } from '../runtime/actor.js'
import { ingestMemory } from './ingest-memory.js'
import { trustOf } from './trust.js'

export interface EnrichOptions {
  readonly records: RecordsOptions
}

export function enrich(context: ActorContext, options: EnrichOptions): Actor {
  const { scanner } = ingestMemory(context, options.records)
  const rendered = new Map<number, number>()

  function render(origin: Origin): void {
    const { trusted, fallback, labels } = origin
    const level =
      fallback.log_level === undefined ? 0 : LEVELS.indexOf(fallback.log_level as (typeof LEVELS)[number])
    const fields = {
      id: origin.id,
      trust: trustOf(origin),
      service_name: fallback.service_name,
      log_type: fallback.log_type,
      log_level: Math.max(0, level),
      pod_uid: trusted.pod_uid ?? 'unknown',
      namespace: trusted.namespace ?? 'unknown',
      cluster_id: context.node.clusterId,
      ...(trusted.pod_name === undefined ? {} : { pod_name: trusted.pod_name }),
      ...(trusted.container_name === undefined ? {} : { container_name: trusted.container_name }),
      ...(trusted.node_name === undefined ? {} : { node_name: trusted.node_name }),
      ...(labels === undefined ? {} : { labels }),
    }
    const { ptr, droppedLabels } = scanner.contexts.render(fields, rendered.get(origin.id))
    if (droppedLabels.length > 0) {
      context.metrics.add('fields_dropped_total', droppedLabels.length)
      context.log.warn(
        { origin: origin.file?.path ?? origin.source, droppedLabels },
        'labels do not fit and are left out',
      )
    }
    rendered.set(origin.id, ptr)
  }

  return {
    on: {
      origin(message) {
        render(message.origin)
        context.send('sample', message)
      },
      batch(message) {
        const ptr = rendered.get(message.origin)
        if (ptr === undefined) throw new Error(`batch of unknown origin ${message.origin}`)
        context.send('sample', { ...message, context: ptr })
      },
      origin_closed(message) {
        context.send('sample', message)
        const ptr = rendered.get(message.origin)
        if (ptr !== undefined) scanner.contexts.release(ptr)
        rendered.delete(message.origin)
      },
      reset_streams: (message) => context.send('sample', message),
      end_of_input: (message) => context.send('sample', message),
    },
  }
}
