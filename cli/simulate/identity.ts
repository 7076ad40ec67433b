// Which source of a configuration would have read a file: its path tells a container's log, else a glob that matches, else the only one there is.
import path from 'node:path'
import { glob } from 'tinyglobby'
import { rotatedNames } from '../../actors/sources/file/rotated-name.js'
import {
  isContainerName,
  parseLogName,
  parsePodFolder,
  type PodFolder,
} from '../../actors/sources/kubernetes/pod-path.js'
import { namespaceFilter } from '../../actors/sources/kubernetes/describe.js'
import type { OriginFields } from '../../actors/sources/tail/found.js'
import type { Config } from '../../protocol/config/schema.js'
import type { KubernetesSourceOptions, SourceOptions } from '../../protocol/config/sources.js'
import { MillraceError } from '../../protocol/errors.js'
import { containerOrigin, type PlainSource, plainOrigin } from '../offline/origins.js'
import type { InputFile } from './input.js'

export interface FileIdentity {
  /** Undefined: the configuration does not read it (`namespaces`, `exclude_namespaces`). */
  readonly origin: OriginFields | undefined
  /** The source that lends its description, where the path does not name it. */
  readonly assumed?: string
  /** Files of the same log follow each other. */
  readonly joinKey: string
}

export type Identify = (file: InputFile) => FileIdentity

interface Container {
  readonly pod: PodFolder
  readonly containerName: string
  readonly restart: string
}

/** `wanted` names the source for files whose path does not tell. Throws `usage.source`. */
export async function createIdentify(config: Config, wanted: string | undefined): Promise<Identify> {
  const sources = Object.entries(config.sources)
  const kubernetes = sources.map(([, each]) => each).filter(isKubernetes)
  const matched = new Map<string, PlainSource>()
  for (const [, each] of sources) {
    if (each.type !== 'file') continue
    const found = await glob([...each.include], {
      ignore: [...each.exclude],
      absolute: true,
      onlyFiles: true,
      dot: true,
      expandDirectories: false,
    })
    for (const file of found) if (!matched.has(file)) matched.set(file, each)
  }
  const [name, fallback] = fallbackOf(config, wanted)
  return (file) => {
    const joinKey = file.path
    if (file.archived) return { origin: ARCHIVED, joinKey }
    const container = containerOf(file.path)
    if (container !== undefined) {
      const { pod, containerName, restart } = container
      const reader = kubernetes.find((each) => namespaceFilter(each)(pod.namespace))
      const excluded = reader === undefined && kubernetes.length > 0
      const origin = excluded ? undefined : containerOrigin(config, { pod, containerName }, reader)
      return { origin, joinKey: `${pod.podUid}/${containerName}/${restart}` }
    }
    const own = wanted === undefined ? sourceOfPath(matched, file.path) : undefined
    if (own !== undefined) return { origin: plainOrigin(config, own), joinKey }
    const framed = file.runtime ? ({ format: 'cri', content: 'auto' } as const) : {}
    const origin = { ...plainOrigin(config, fallback), ...framed }
    return { origin, joinKey, ...(name === undefined ? {} : { assumed: name }) }
  }
}

/** An archived record says all of itself. */
const ARCHIVED: OriginFields = {
  format: 'lines',
  content: 'json',
  trusted: {},
  fallback: { service_name: 'unknown', log_type: 'app' },
}

const STDIN: PlainSource = { type: 'stdin', format: 'auto', fields: {}, multiline: undefined }

function fallbackOf(config: Config, wanted: string | undefined): readonly [string | undefined, PlainSource] {
  const plain = Object.entries(config.sources).flatMap(([name, each]) =>
    isKubernetes(each) ? [] : [[name, each] as const],
  )
  if (wanted === undefined)
    return plain.length === 1 ? (plain[0] as readonly [string, PlainSource]) : [undefined, STDIN]
  const found = plain.find(([name]) => name === wanted)
  if (found !== undefined) return found
  const names = plain.map(([name]) => name).join(', ') || 'none'
  throw new MillraceError(
    'usage.source',
    `--source: there is no file, http or stdin source ${JSON.stringify(wanted)}; the configuration has ${names}`,
  )
}

function sourceOfPath(matched: ReadonlyMap<string, PlainSource>, file: string): PlainSource | undefined {
  const live = rotatedNames(path.basename(file)).map(({ base }) => path.join(path.dirname(file), base))
  return [file, ...live].map((each) => matched.get(each)).find((each) => each !== undefined)
}

/** `…/<namespace>_<pod>_<uid>/<container>/<restart>.log…` */
function containerOf(file: string): Container | undefined {
  const [folder = '', containerName = '', name = ''] = file.split('/').slice(-3)
  const pod = parsePodFolder(folder)
  const log = parseLogName(name)
  if (pod === undefined || log === undefined || !isContainerName(containerName)) return undefined
  return { pod, containerName, restart: log.restart }
}

function isKubernetes(source: SourceOptions): source is KubernetesSourceOptions {
  return source.type === 'kubernetes'
}
