// The file source: follows the files that globs name, through rotation, restarts and truncation.
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { FileSourceOptions } from '../../protocol/config/sources.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { lineFormat, multilineOf, statedFields } from './fields.js'
import { createFileFinder } from './file/find.js'
import { tailActor } from './tail/actor.js'
import { createConditions } from './tail/conditions.js'
import { createFolders } from './tail/folder.js'
import type { OriginFields } from './tail/found.js'

export interface FileSource {
  readonly name: string
  readonly options: FileSourceOptions
  readonly records: RecordsOptions
}

export function fileSource(context: ActorContext, { name, options, records }: FileSource): Actor {
  const conditions = createConditions(context, name)
  const folders = createFolders(conditions, context.clock.monotonic)
  const finder = createFileFinder({ ...options, source: name, folders, conditions })
  const stated = statedFields(options.fields)
  const origin: OriginFields = {
    ...lineFormat(options.format),
    ...multilineOf(options.multiline),
    ...stated,
    trusted: { node_name: context.node.id, ...stated.trusted },
  }
  return tailActor({
    context,
    source: name,
    tail: options,
    records,
    logs: { ...finder, describe: () => origin },
    conditions,
  })
}
