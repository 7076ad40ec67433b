// The HTTP source: takes pushed records, and answers 200 only when they are in the journal.
import { createServer, type Server } from 'node:http'
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { HttpSourceOptions } from '../../protocol/config/sources.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { statedFields } from './fields.js'
import { listenAddress, tokenCheck } from './http/address.js'
import { createBodyBudget } from './http/body.js'
import { createIntake } from './http/intake.js'
import { createRequests, INGEST_PATH } from './http/requests.js'
import { nextOriginId, slabOf } from './slab.js'

export interface HttpSource {
  readonly name: string
  readonly options: HttpSourceOptions
  readonly records: RecordsOptions
  /** Told the port that was taken, for `listen` with port 0. */
  onListening?(port: number): void
}

const HEADERS_TIMEOUT_MS = 10_000
const HEADER_BYTES_MAX = 16 * 1024
/** Bodies of the largest size that fit in memory together. */
const BODIES_MAX = 4

/** Throws `http.token_required` or `http.token_file` at once; `start` rejects with `http.port_in_use` or `http.listen`. */
export function httpSource(
  context: ActorContext,
  { name, options, records, onListening }: HttpSource,
): Actor {
  const { metrics } = context
  const { host, port } = listenAddress(options.listen)
  const isAllowed = tokenCheck(name, options.listen, options.token_file)
  const origin = nextOriginId(context)
  const intake = createIntake({
    context,
    source: name,
    origin,
    slab: slabOf(context, records),
    lineBytesMax: records.line_bytes_max,
    timeoutMs: options.timeout,
  })
  let state: 'open' | 'closed' | 'draining' = 'open'
  let closedReason = ''
  let server: Server | undefined
  const handle = createRequests({
    intake,
    isAllowed,
    bodyBytesMax: options.body_bytes_max,
    requestsMax: options.requests_max,
    budget: createBodyBudget(BODIES_MAX * options.body_bytes_max),
    state: () => state,
    closedReason: () => closedReason,
    onAnswer: (status) => metrics.add('http_requests_total', 1, { source: name, status: String(status) }),
  })

  function open(): Server {
    const opened = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: Math.max(options.timeout, HEADERS_TIMEOUT_MS),
        connectionsCheckingInterval: 1000,
        maxHeaderSize: HEADER_BYTES_MAX,
        noDelay: true,
      },
      (request, response) => {
        // A client that goes away is no fault of the node.
        request.on('error', () => {})
        handle(request, response).catch(context.fail)
      },
    )
    opened.maxConnections = options.requests_max * 2
    return opened
  }

  function announce(): void {
    const stated = statedFields(options.fields)
    const trusted = { node_name: context.node.id, ...stated.trusted }
    context.send('parse', {
      type: 'origin',
      origin: { id: origin, source: name, format: 'lines', content: 'auto', ...stated, trusted },
    })
  }

  function drain(): void {
    state = 'draining'
    intake.stop()
    server?.closeIdleConnections()
  }

  return {
    async start() {
      // A run that ends with its files does not wait for pushes.
      if (context.once) {
        context.send('supervisor', { type: 'idle', actor: context.name, idle: true })
        context.send('parse', { type: 'end_of_input' })
        return
      }
      announce()
      server = open()
      const bound = await listen(server, host, port, name, options.listen)
      onListening?.(bound)
      const detail = { listen: `${host}:${bound}`, path: INGEST_PATH }
      context.send('supervisor', { type: 'status', actor: context.name, ready: true, detail })
    },
    on: {
      flow(message) {
        if (state !== 'draining') state = message.open ? 'open' : 'closed'
        closedReason = message.reason ?? 'the journal takes nothing at present'
        intake.setFlow(message.open)
      },
      durable: (message) => intake.durable(message.tokens),
      drain,
      positions() {},
      end_of_input() {},
    },
    async stop() {
      drain()
      const closing = server
      if (closing === undefined) return
      server = undefined
      await new Promise<void>((resolve) => {
        closing.close(() => resolve())
        closing.closeAllConnections()
      })
    },
  }
}

function listen(server: Server, host: string, port: number, name: string, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const inUse = systemCode(cause) === 'EADDRINUSE'
      const problem = inUse
        ? 'is in use by another process; choose another port'
        : `cannot be listened on (${cause.message})`
      const code = inUse ? 'http.port_in_use' : 'http.listen'
      reject(new MillraceError(code, `sources.${name}.listen: ${text} ${problem}`, { cause }))
    })
    server.listen({ host, port }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
