// `millrace ctl tap`: the records that pass on one node or on all, by the socket or over NATS.
import { Command } from 'commander'
import { nanoid } from 'nanoid'
import { createInbox, errors, type NatsConnection } from 'nats'
import type { ControlAnswer } from '../../protocol/control/verbs.js'
import { MillraceError } from '../../protocol/errors.js'
import { compileFilter } from '../../protocol/filter.js'
import { controlSubject } from '../../protocol/subjects.js'
import { loadReach } from '../../runtime/config/reach.js'
import { askSocket } from '../../runtime/control/socket-client.js'
import { onInterrupt } from '../interrupt.js'
import { positiveNumber, warn } from '../options.js'
import { recordText } from '../record-text.js'
import { nobody } from './ask.js'
import { caller, type CtlOptions, nodeOptions } from './options.js'
import { askFault, openSession, type Session } from './session.js'

interface TapFlags extends CtlOptions {
  readonly filter: string
  readonly rate: number
  readonly limit?: number
}

/** A node ends a tap that nobody asks for again within 15 s. */
const RENEW_EVERY_MS = 5000

export function tapCommand(): Command {
  return nodeOptions(new Command('tap'))
    .description('Prints the records that nodes keep, as they pass; filters are those of `millrace tap`.')
    .summary('the records that pass, on one node or on all')
    .option('-f, --filter <filter>', 'which records', '')
    .option('-n, --limit <records>', 'end after so many records', positiveNumber)
    .option('--rate <records>', 'at most so many records per second and node', positiveNumber, 100)
    .action(async (options: TapFlags) => {
      compileFilter(options.filter)
      const stop = onInterrupt()
      try {
        await tap(options, stop.signal)
      } finally {
        stop.end()
      }
    })
}

async function tap(options: TapFlags, interrupted: AbortSignal): Promise<void> {
  const enough = new AbortController()
  const signal = AbortSignal.any([interrupted, enough.signal])
  let left = options.limit ?? Number.POSITIVE_INFINITY
  const onLines = (ndjson: string): void => {
    for (const line of ndjson.split('\n')) {
      if (line === '' || left <= 0) continue
      if (line.startsWith('{"millrace_tap":')) {
        process.stderr.write(`millrace: ${line}\n`)
        continue
      }
      left--
      process.stdout.write(`${options.json === true ? line : recordText(line)}\n`)
    }
    if (left <= 0) enough.abort()
  }
  const args = { filter: options.filter, rate: options.rate }
  if (options.node === undefined && options.all !== true && options.nats === undefined) {
    const { node } = loadReach(options.config, ['node'], warn)
    const envelope = { verb: 'tap', args, by: caller() }
    const answer = await askSocket(node.data_dir, envelope, {
      timeoutMs: options.timeout,
      signal,
      onLines,
    })
    if (!answer.ok) throw new MillraceError(answer.code, answer.message)
    if (!signal.aborted) throw new MillraceError('node.gone', 'the node ended the tap')
    return
  }
  const session = await openSession(options)
  try {
    const nodes =
      options.node === undefined ? (await session.members()).map(({ node }) => node) : [options.node]
    if (nodes.length === 0) throw nobody(session)
    await overNats(session, nodes, args, { onLines, signal, timeoutMs: options.timeout })
  } finally {
    await session.close()
  }
}

interface Listening {
  onLines(ndjson: string): void
  readonly signal: AbortSignal
  /** By then one of the nodes has answered. */
  readonly timeoutMs: number
}

/** One inbox takes the lines of all nodes; each node is asked again and again while they are wanted. */
async function overNats(
  { connection, nats }: Session,
  nodes: readonly string[],
  args: { readonly filter: string; readonly rate: number },
  { onLines, signal, timeoutMs }: Listening,
): Promise<void> {
  const inbox = createInbox(nats.inbox_prefix)
  const body = JSON.stringify({ args: { ...args, id: nanoid() }, by: caller() })
  const fault = (cause: unknown) => askFault(nodes.join(', '), 'tap', timeoutMs, cause)
  let failed: ((error: Error) => void) | undefined
  let answered = false
  connection.subscribe(inbox, {
    callback(error, message) {
      if (error !== null) return failed?.(fault(error))
      if (message.data.length === 0) {
        const text = `no node ${nodes.join(', ')} answers tap on NATS; \`millrace ctl nodes\` lists those that do`
        return nodes.length === 1 ? failed?.(new MillraceError('node.unreachable', text)) : undefined
      }
      answered = true
      const said = message.json<ControlAnswer | { readonly lines: string }>()
      if ('lines' in said) onLines(said.lines)
      else if (!said.ok) failed?.(new MillraceError(said.code, said.message))
    },
  })
  const askAll = () => {
    for (const node of nodes) connection.publish(controlSubject(node, 'tap'), body, { reply: inbox })
  }
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(askAll, RENEW_EVERY_MS)
    const patience = setTimeout(() => {
      if (!answered) failed?.(fault(new Error('timeout')))
    }, timeoutMs)
    const end = () => {
      clearInterval(timer)
      clearTimeout(patience)
      resolve()
    }
    failed = (error) => {
      reject(error)
      end()
    }
    // What the account may not publish is told here alone.
    void refusal(connection).then((error) => failed?.(fault(error)))
    signal.addEventListener('abort', end, { once: true })
    void connection
      .closed()
      .then(() => failed?.(new MillraceError('nats.unreachable', 'NATS ended the connection')))
    askAll()
  })
}

/** Resolves with a permission that the server denies; never without one. */
function refusal(connection: NatsConnection): Promise<Error> {
  return new Promise((resolve) => {
    void (async () => {
      for await (const status of connection.status())
        if (status.type === 'error' && status.error instanceof errors.PermissionViolationError)
          resolve(status.error)
    })()
  })
}
