// Every kind of actor by its name in a group's plan.
import type { RecordsOptions } from '../protocol/config/node.js'
import type { SourceOptions } from '../protocol/config/sources.js'
import type { ActorFactory } from '../runtime/actor.js'
import type { Registry } from '../runtime/group-host.js'
/** What a source is planned with. */
export interface SourcePlan {
  readonly name: string
  readonly options: SourceOptions
  readonly records: RecordsOptions
  /** It shares parse's thread: it reads straight into the scanner's memory. */
  readonly besideParse: boolean
  /** It tells the actor `capture` what becomes of the pods' containers. */
  readonly reportsPods?: boolean
  /** First of the origin numbers of its thread. */
  readonly originsFrom: number
}

async function source(options: SourcePlan['options']): Promise<SourceFactory> {
  switch (options.type) {
    case 'kubernetes':
      return (await import('./sources/kubernetes.js')).kubernetesSource as SourceFactory
    case 'file':
      return (await import('./sources/file.js')).fileSource as SourceFactory
    case 'http':
      return (await import('./sources/http.js')).httpSource as SourceFactory
    case 'stdin':
      return (await import('./sources/stdin.js')).stdinSource as SourceFactory
  }
}

type SourceFactory = ActorFactory<Pick<SourcePlan, 'name' | 'options' | 'records' | 'reportsPods'>>

/** Registers what the sources of a thread share before the first of them is made. */
async function plannedSource(plan: SourcePlan): Promise<ActorFactory<SourcePlan>> {
  const make = await source(plan.options)
  const memory = plan.besideParse ? await import('./ingest-memory.js') : undefined
  return (context, { name, options, records, originsFrom, reportsPods = false }) => {
    context.local('originIds', () => ({ next: originsFrom }))
    if (memory !== undefined) context.local('slab', () => memory.slabMemory(context, records))
    return make(context, { name, options, records, reportsPods })
  }
}

/** Loaded on demand: a thread pays only for the modules of the actors that it hosts. */
export const registry: Registry = {
  source: (options) => plannedSource(options as SourcePlan),
  parse: async () => (await import('./parse/parse.js')).parse,
  enrich: async () => (await import('./enrich.js')).enrich,
  sample: async () => (await import('./sample/sample.js')).sample,
  journal: async () => (await import('./journal.js')).journal,
  traffic: async () => (await import('./traffic/traffic.js')).traffic,
  capture: async () => (await import('./capture/capture.js')).capture,
  control: async () => (await import('./control/control.js')).controlActor,
  letters: async () => (await import('./letters/letters.js')).letters,
  auditor: async () => (await import('./auditor/actor.js')).auditor,
  publisher: async () => (await import('./buffer/publisher.js')).publisher,
  receiver: async () => (await import('./buffer/receiver.js')).receiver,
  writer: async () => (await import('./writers/actor.js')).writerActor,
}
