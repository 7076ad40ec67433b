// Every kind of actor by its name in a group's plan.
import type { RecordsOptions } from '../protocol/config/node.js'
import type { SourceOptions } from '../protocol/config/sources.js'
import type { Actor, ActorContext } from '../runtime/actor.js'
import type { Registry } from '../runtime/group-host.js'
import { enrich } from './enrich.js'
import { slabMemory } from './ingest-memory.js'
import { journal } from './journal.js'
import { parse } from './parse/parse.js'
import { sample } from './sample/sample.js'
import { fileSource } from './sources/file.js'
import { httpSource } from './sources/http.js'
import { kubernetesSource } from './sources/kubernetes.js'
import { stdinSource } from './sources/stdin.js'
import { writerActor } from './writers/actor.js'

/** What a source is planned with. */
export interface SourcePlan {
  readonly name: string
  readonly options: SourceOptions
  readonly records: RecordsOptions
  /** It shares parse's thread: it reads straight into the scanner's memory. */
  readonly besideParse: boolean
  /** First of the origin numbers of its thread. */
  readonly originsFrom: number
}

function source(
  context: ActorContext,
  { name, options, records, besideParse, originsFrom }: SourcePlan,
): Actor {
  context.local('originIds', () => ({ next: originsFrom }))
  if (besideParse) context.local('slab', () => slabMemory(context, records))
  switch (options.type) {
    case 'kubernetes':
      return kubernetesSource(context, { name, options, records })
    case 'file':
      return fileSource(context, { name, options, records })
    case 'http':
      return httpSource(context, { name, options, records })
    case 'stdin':
      return stdinSource(context, { name, options, records })
  }
}

export const registry: Registry = { source, parse, enrich, sample, journal, writer: writerActor }
