// Makes the declared streams and buckets on the server, or brings those that exist in line; what the server can not change is told.
import {
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type StreamConfig,
  type StreamInfo,
  type StreamInfoRequestOptions,
} from '@nats-io/jetstream'
import { type NatsConnection, nanos } from 'nats'
import { formatBytes, formatDuration } from '../../protocol/config/units.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import type { Declared, StreamDeclaration } from './declarations.js'

/** A limit of a stream that is not as declared. */
export interface Difference {
  readonly key: string
  readonly declared: string
  readonly found: string
  /** The server can change it while the stream keeps its messages. */
  readonly updatable: boolean
}

export interface EnsureOptions {
  /** Undefined: as many as the cluster has servers for, at most 3. */
  readonly replicas: number | undefined
  /** Told of what was made or changed, for the log. */
  done(what: string): void
}

/** Fixed when a stream is made (nats-server, `checkStreamCfg` and `configUpdateCheck`). */
const FIXED: ReadonlySet<string> = new Set(['retention', 'storage'])
const REPLICAS_WANTED = 3
/** No server for so many copies: 10005 no suitable peers, 10074 replicas without a cluster. */
const TOO_MANY_REPLICAS: ReadonlySet<number> = new Set([10005, 10074])
const STREAM_NOT_FOUND = 10059
const JETSTREAM_OFF: ReadonlySet<number> = new Set([10039, 10076])

/** Throws `nats.jetstream` where the server or the account has none. */
export async function openStreams(connection: NatsConnection): Promise<JetStreamManager> {
  try {
    return await jetstreamManager(connection)
  } catch (cause) {
    const text = `NATS ${connection.getServer()} gives this account no JetStream; start the server with --jetstream, or enable it for the account`
    throw new MillraceError('nats.jetstream', text, { cause })
  }
}

/** Throws `nats.stream_differs` when the stream exists and can not be brought in line, `nats.stream` when the server refuses it. */
export async function ensureStream(
  manager: JetStreamManager,
  stream: StreamDeclaration,
  options: EnsureOptions,
): Promise<void> {
  const found = await streamInfo(manager, stream.name)
  if (found === undefined) return add(manager, stream, options)
  const differences = compare(stream.config, found.config, options.replicas)
  const fixed = differences.filter(({ updatable }) => !updatable)
  if (fixed.length > 0) throw differs(stream, fixed)
  if (differences.length === 0) return
  const replicas = options.replicas ?? found.config.num_replicas
  try {
    await manager.streams.update(stream.name, { ...found.config, ...stream.config, num_replicas: replicas })
  } catch (error) {
    throw differs(stream, differences, error)
  }
  options.done(`${stream.kind} ${stream.name}: ${differences.map(text).join(', ')}`)
}

export async function streamInfo(
  manager: JetStreamManager,
  name: string,
  request?: Partial<StreamInfoRequestOptions>,
): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name, request)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined
    if (error instanceof JetStreamApiError && JETSTREAM_OFF.has(error.code)) {
      throw new MillraceError('nats.jetstream', `NATS gives this account no JetStream (${error.message})`, {
        cause: error,
      })
    }
    throw error
  }
}

async function add(
  manager: JetStreamManager,
  stream: StreamDeclaration,
  { replicas, done }: EnsureOptions,
): Promise<void> {
  // A server that stands alone refuses copies, and so does a cluster of two: then there is one.
  const tries = replicas === undefined ? [REPLICAS_WANTED, 1] : [replicas]
  for (const num_replicas of tries) {
    try {
      await manager.streams.add({ ...stream.config, name: stream.name, num_replicas })
      return done(
        `${stream.kind} ${stream.name} made with ${num_replicas} ${num_replicas === 1 ? 'copy' : 'copies'}`,
      )
    } catch (error) {
      const code = error instanceof JetStreamApiError ? error.code : 0
      if (num_replicas !== tries.at(-1) && TOO_MANY_REPLICAS.has(code)) continue
      // Another node was quicker and made it the same way.
      if ((await streamInfo(manager, stream.name)) !== undefined) return
      const said = saidOf(error)
      const problem = `NATS refuses the ${stream.kind} ${stream.name} with ${num_replicas} copies (${said}); see nats.streams and the limits of the account`
      throw new MillraceError('nats.stream', problem, { cause: error })
    }
  }
}

/** `replicas` undefined: however many there are is right. */
export function compare(declared: Declared, found: StreamConfig, replicas: number | undefined): Difference[] {
  const wanted: Record<string, unknown> = { ...declared }
  delete wanted['description']
  if (replicas !== undefined) wanted['num_replicas'] = replicas
  return Object.entries(wanted).flatMap(([key, value]) => {
    const is: unknown = found[key as keyof StreamConfig]
    if (JSON.stringify(is ?? ABSENT[key]) === JSON.stringify(value)) return []
    return [
      { key, declared: shown(key, value), found: shown(key, is ?? ABSENT[key]), updatable: !FIXED.has(key) },
    ]
  })
}

/** The server leaves out what is off. */
const ABSENT: Readonly<Record<string, unknown>> = {
  allow_rollup_hdrs: false,
  allow_direct: false,
  deny_delete: false,
  compression: 'none',
  subjects: [],
}

function shown(key: string, value: unknown): string {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return JSON.stringify(value)
  if (typeof value !== 'number') return Array.isArray(value) ? value.join(' ') : String(value)
  if (value <= 0) return 'unlimited'
  if (key === 'max_age' || key === 'duplicate_window') return formatDuration(Math.round(value / nanos(1)))
  return key === 'max_bytes' || key === 'max_msg_size' ? formatBytes(value) : String(value)
}

const text = ({ key, declared, found }: Difference) => `${key} is ${found} instead of ${declared}`

function differs(
  stream: StreamDeclaration,
  differences: readonly Difference[],
  cause?: unknown,
): MillraceError {
  const said = cause === undefined ? '' : ` and the server refuses the change (${(cause as Error).message})`
  const problem =
    `NATS has a ${stream.kind} ${stream.name} that is not as declared: ${differences.map(text).join(', ')}${said}; ` +
    `adjust it with \`nats stream edit ${stream.name}\`, or let its consumers empty it and remove it with \`nats stream rm ${stream.name}\`: the node makes it anew`
  return new MillraceError('nats.stream_differs', problem, { cause })
}
