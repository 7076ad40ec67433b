// A command's connection to NATS: which nodes there are, what they answer, and the configuration bucket.
import { existsSync } from 'node:fs'
import { Svcm } from '@nats-io/services'
import { errors, type Msg, type NatsConnection } from 'nats'
import { nats as natsSchema, type NatsOptions } from '../../protocol/config/nats.js'
import type { ControlAnswer, ControlEnvelope, Verb } from '../../protocol/control/verbs.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import { controlSubject, SERVICE_NAME } from '../../protocol/subjects.js'
import { loadReach } from '../../runtime/config/reach.js'
import { connectNats } from '../../runtime/nats/connection.js'
import { CONFIG_FILE, warn } from '../options.js'
import type { CtlOptions } from './options.js'

export interface Member {
  readonly node: string
  readonly cluster: string
  readonly version: string
}

export interface Session {
  readonly connection: NatsConnection
  readonly nats: NatsOptions
  /** The cluster that is meant; undefined where no configuration says so. */
  readonly cluster: string | undefined
  /** Nodes that answer now, by name. Throws `usage.clusters`. */
  members(): Promise<Member[]>
  /** Throws `node.unreachable`, `nats.permission`. A tap's lines come to `onLines`. */
  ask(node: string, verb: Verb, envelope: ControlEnvelope): Promise<ControlAnswer>
  close(): Promise<void>
}

/** Nodes answer a ping within a round trip; the last one is not waited for longer than this. */
const STALL_MS = 300
const MEMBERS_MAX = 20_000

/** Throws `usage.nats` where neither the configuration nor --nats says where NATS is. */
export async function openSession(options: CtlOptions): Promise<Session> {
  const { nats, cluster } = natsOf(options)
  const connection = await connectNats(nats, 'millrace ctl')
  const { timeout } = options
  return {
    connection,
    nats,
    cluster,
    async members() {
      const found = new Map<string, Member>()
      const client = new Svcm(connection).client({
        strategy: 'stall',
        stall: STALL_MS,
        maxWait: timeout,
        maxMessages: MEMBERS_MAX,
      })
      try {
        for await (const { metadata = {}, version } of await client.ping(SERVICE_NAME)) {
          const { node = '', cluster: of = '' } = metadata
          if (node !== '' && (cluster === undefined || of === cluster))
            found.set(node, { node, cluster: of, version })
        }
      } catch (error) {
        if (!isNobody(error)) throw error
      }
      demandOneCluster([...new Set([...found.values()].map((each) => each.cluster))])
      return [...found.values()].toSorted((a, b) => (a.node < b.node ? -1 : 1))
    },
    ask: (node, verb, envelope) => ask(connection, node, verb, envelope, timeout),
    close: () => connection.close(),
  }
}

/** What says in a setting whose nodes it is for. */
export const ofCluster = ({ cluster }: Session) => (cluster === undefined ? {} : { cluster })

/** Nodes are known by name: those of two clusters are not told apart. Throws `usage.clusters`. */
function demandOneCluster(clusters: readonly string[]): void {
  if (clusters.length < 2) return
  const text = `nodes of several clusters answer there: ${clusters.toSorted().join(', ')}; name the one that is meant by its configuration (-c)`
  throw new MillraceError('usage.clusters', text)
}

async function ask(
  connection: NatsConnection,
  node: string,
  verb: Verb,
  envelope: ControlEnvelope,
  timeoutMs: number,
): Promise<ControlAnswer> {
  let message: Msg
  try {
    const body = JSON.stringify({ args: envelope.args, by: envelope.by })
    message = await connection.request(controlSubject(node, verb), body, { timeout: timeoutMs })
  } catch (error) {
    throw askFault(node, verb, timeoutMs, error)
  }
  try {
    return message.json<ControlAnswer>()
  } catch (cause) {
    throw new MillraceError('node.answer', `node ${node} answers ${verb} with something else than JSON`, {
      cause,
    })
  }
}

/** Why a node gave no answer: nobody listens, the account may not ask, or nothing came in time. */
export function askFault(node: string, verb: Verb, timeoutMs: number, cause: unknown): MillraceError {
  if (isNobody(cause)) {
    const text = `no node ${node} answers ${verb} on NATS; \`millrace ctl nodes\` lists those that do`
    return new MillraceError('node.unreachable', text, { cause })
  }
  const said = saidOf(cause)
  if (/permissions violation/i.test(said)) {
    const text = `these credentials may not use ${verb}: NATS refuses ${controlSubject(node, verb)}; grant it to the account`
    return new MillraceError('nats.permission', text, { cause })
  }
  const text = `node ${node} gives no answer to ${verb} within ${timeoutMs} ms (${said}); the account may not be allowed to publish ${controlSubject(node, verb)}`
  return new MillraceError('node.unreachable', text, { cause })
}

function isNobody(error: unknown): boolean {
  if (error instanceof errors.NoRespondersError) return true
  return error instanceof Error && error.cause instanceof errors.NoRespondersError
}

function natsOf(options: CtlOptions): { nats: NatsOptions; cluster: string | undefined } {
  if (options.nats !== undefined) {
    const creds = options.creds === undefined ? {} : { creds_file: options.creds }
    const parsed = natsSchema.safeParse({ servers: options.nats, ...creds })
    if (parsed.success && parsed.data !== undefined) return { nats: parsed.data, cluster: undefined }
    throw new MillraceError('usage.nats', `--nats: ${parsed.error?.issues[0]?.message ?? 'is not valid'}`)
  }
  if (options.config === CONFIG_FILE && !existsSync(CONFIG_FILE)) {
    const text = `there is no ${CONFIG_FILE} here; name the node's configuration with -c, or the servers with --nats`
    throw new MillraceError('usage.nats', text)
  }
  const config = loadReach(options.config, ['nats', 'node'], warn)
  if (config.nats === undefined) {
    const text = `${options.config} has no section nats, so this node stands alone; name the servers with --nats, or leave out --node and --all`
    throw new MillraceError('usage.nats', text)
  }
  return { nats: config.nats, cluster: config.node.cluster_id }
}
