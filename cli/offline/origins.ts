// Where lines come from when no source reads them: what a configured source, or a log's path, says of its records.
import { lineFormat, multilineOf, statedFields } from '../../actors/sources/fields.js'
import { type ContainerFacts, describeContainer } from '../../actors/sources/kubernetes/describe.js'
import type { OriginFields } from '../../actors/sources/tail/found.js'
import type { Config } from '../../protocol/config/schema.js'
import type { KubernetesSourceOptions, SourceFields, SourceOptions } from '../../protocol/config/sources.js'

export type PlainSource = Exclude<SourceOptions, KubernetesSourceOptions>

/** As the source describes its records; `fields` come on top of those it states. */
export function plainOrigin(config: Config, source: PlainSource, fields: SourceFields = {}): OriginFields {
  const stated = statedFields({ ...source.fields, ...fields })
  const multiline = source.type === 'http' ? {} : multilineOf(source.multiline)
  const format = source.type === 'http' ? lineFormat('auto') : lineFormat(source.format)
  return { ...format, ...multiline, ...stated, trusted: { node_name: config.node.id, ...stated.trusted } }
}

/** As a kubernetes source describes a container's records; without one, as a source without options would. */
export function containerOrigin(
  config: Config,
  facts: Omit<ContainerFacts, 'nodeName'>,
  source?: KubernetesSourceOptions,
): OriginFields {
  const nodeName = source?.node_name ?? config.node.id
  return describeContainer({ ...facts, nodeName }, source ?? { labels_allow: [], multiline: undefined })
}
