// Where a test's lines come from: a configured source, or one that the test describes.
import { parsePodFolder } from '../../actors/sources/kubernetes/pod-path.js'
import type { OriginFields } from '../../actors/sources/tail/found.js'
import type { Config } from '../../protocol/config/schema.js'
import {
  source as sourceSchema,
  type SourceFields,
  type SourceOptions,
} from '../../protocol/config/sources.js'
import { MillraceError } from '../../protocol/errors.js'
import { containerOrigin, plainOrigin } from '../offline/origins.js'
import { isRuntimeLine } from '../offline/runtime-line.js'
import type { PlacedTest } from './file.js'
import type { TestCase, TestSource } from './schema.js'

const MINIMAL = {
  kubernetes: { type: 'kubernetes' },
  file: { type: 'file', include: ['*'] },
  http: { type: 'http' },
  stdin: { type: 'stdin' },
} as const

/** Throws `config.test`. */
export function originOf(config: Config, { test, place }: Pick<PlacedTest, 'test' | 'place'>): OriginFields {
  const stated = test.source ?? {}
  const options = sourceOf(config, place, stated)
  if (options.type !== 'kubernetes') {
    const format = stated.format === undefined || options.type === 'http' ? {} : { format: stated.format }
    return plainOrigin(config, { ...options, ...format }, fieldsOf(stated))
  }
  const {
    namespace = 'default',
    pod = `${stated.service ?? 'app'}-0`,
    pod_uid = 'uid-0',
    container = 'main',
  } = stated
  if (parsePodFolder(`${namespace}_${pod}_${pod_uid}`) === undefined)
    throw new MillraceError(
      'config.test',
      `${place}: namespace ${namespace}, pod ${pod}, pod_uid ${pod_uid} are not names that Kubernetes gives; use small letters, digits and -`,
    )
  const facts = {
    pod: { namespace, podName: pod, podUid: pod_uid },
    containerName: container,
    labels: stated.labels,
  }
  const origin = containerOrigin(config, facts, options)
  const { service_name, log_type, log_level } = fieldsOf(stated)
  const fallback = {
    ...origin.fallback,
    ...(service_name === undefined ? {} : { service_name }),
    ...(log_type === undefined ? {} : { log_type }),
    ...(log_level === undefined ? {} : { log_level }),
  }
  return { ...origin, fallback }
}

function sourceOf(config: Config, place: string, { name, kind }: TestSource): SourceOptions {
  const names = Object.keys(config.sources)
  const fail = (problem: string) =>
    new MillraceError('config.test', `${place}: ${problem}; the configuration has ${names.join(', ')}`)
  if (name !== undefined) {
    const found = Object.hasOwn(config.sources, name) ? config.sources[name] : undefined
    if (found === undefined) throw fail(`there is no source ${JSON.stringify(name)}`)
    if (kind !== undefined && kind !== found.type)
      throw fail(`source ${name} is of type ${found.type} and not ${kind}`)
    return found
  }
  if (kind !== undefined) return sourceSchema.parse(MINIMAL[kind])
  const [only, ...others] = Object.values(config.sources)
  if (only === undefined || others.length > 0) throw fail('the test names no source, and there are several')
  return only
}

function fieldsOf(stated: TestSource): SourceFields {
  const pairs = [
    ['namespace', stated.namespace],
    ['pod_name', stated.pod],
    ['pod_uid', stated.pod_uid],
    ['container_name', stated.container],
    ['service_name', stated.service],
    ['log_type', stated.log_type],
    ['log_level', stated.log_level],
    ['labels', stated.labels],
  ] as const
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) as SourceFields
}

/** A container's bare lines get what the runtime writes before them; lines that have it stay. */
export function runtimeLines(origin: OriginFields, { input, at }: TestCase): readonly string[] {
  if (origin.format !== 'cri' || input.some(isRuntimeLine)) return input
  const time = new Date(Date.parse(at)).toISOString().replace('Z', '000000Z')
  return input.map((line) => `${time} stdout F ${line}`)
}
