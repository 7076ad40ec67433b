// `millrace ctl streams`: every stream and bucket as declared, beside what the server has.
import { Command } from 'commander'
import { formatBytes } from '../../protocol/config/units.js'
import { declareStreams } from '../../runtime/nats/declarations.js'
import { compare, ensureStream, openStreams, streamInfo } from '../../runtime/nats/streams.js'
import { clusterOptions, type CtlOptions, print } from './options.js'
import { openSession } from './session.js'

interface StreamRow {
  readonly name: string
  readonly kind: string
  readonly state: 'absent' | 'as declared' | 'differs'
  readonly differences: readonly string[]
  readonly neededFor: string
  readonly messages?: number
  readonly bytes?: number
  readonly replicas?: number
  readonly consumers?: readonly string[]
}

export function streamsCommand(): Command {
  return clusterOptions(new Command('streams'))
    .description(
      'Shows every stream and bucket of the product as it is declared and as the server has it. Exits 1 when one differs.',
    )
    .summary('streams and buckets, declared and found')
    .option('--apply', 'make those that are absent and bring those that differ in line')
    .action(async (options: CtlOptions & { readonly apply?: boolean }) => {
      const session = await openSession(options)
      try {
        const manager = await openStreams(session.connection)
        const { replicas } = session.nats.streams
        const rows: StreamRow[] = []
        for (const declared of declareStreams(session.nats)) {
          if (options.apply === true) await ensureStream(manager, declared, { replicas, done: print })
          const { name, kind, neededFor } = declared
          const found = await streamInfo(manager, name)
          if (found === undefined) {
            rows.push({ name, kind, state: 'absent', differences: [], neededFor })
            continue
          }
          const differences = compare(declared.config, found.config, replicas).map(
            ({ key, declared: wanted, found: is }) => `${key} is ${is} instead of ${wanted}`,
          )
          const consumers: string[] = []
          for await (const { name: consumer, num_pending, num_ack_pending } of manager.consumers.list(name))
            consumers.push(`${consumer} (${num_pending} waiting, ${num_ack_pending} unacknowledged)`)
          rows.push({
            name,
            kind,
            state: differences.length === 0 ? 'as declared' : 'differs',
            differences,
            neededFor,
            messages: found.state.messages,
            bytes: found.state.bytes,
            replicas: found.config.num_replicas,
            consumers,
          })
        }
        for (const row of rows) print(options.json === true ? JSON.stringify(row) : text(row))
        if (rows.some(({ state }) => state === 'differs')) process.exitCode = 1
      } finally {
        await session.close()
      }
    })
}

function text(row: StreamRow): string {
  const {
    name,
    kind,
    state,
    differences,
    neededFor,
    messages = 0,
    bytes = 0,
    replicas = 1,
    consumers = [],
  } = row
  if (state === 'absent') return `${name} (${kind}): absent; made when needed for ${neededFor}`
  const held = `${messages} messages, ${formatBytes(bytes)}, ${replicas} ${replicas === 1 ? 'copy' : 'copies'}`
  return [
    `${name} (${kind}): ${state}; ${held}`,
    ...differences.map((difference) => `  ${difference}`),
    ...consumers.map((consumer) => `  consumer ${consumer}`),
  ].join('\n')
}
