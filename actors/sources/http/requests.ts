// One push request from its headers to its answer: 200 only for what is durable.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TokenCheck } from './address.js'
import { readBody, type BodyBudget } from './body.js'
import { elementsToLines } from './elements.js'
import type { Intake } from './intake.js'

/** Where records are pushed to. */
export const INGEST_PATH = '/ingest'
const LINE_TYPES = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'text/plain'])
const RETRY_AFTER_S = '1'

export interface RequestsOptions {
  readonly intake: Intake
  readonly isAllowed: TokenCheck
  readonly bodyBytesMax: number
  readonly requestsMax: number
  readonly budget: BodyBudget
  /** open: take requests; closed: the journal is full; draining: the node stops. */
  state(): 'open' | 'closed' | 'draining'
  /** Why nothing is taken while the state is closed. */
  closedReason(): string
  onAnswer(status: number): void
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, string | number>>
  readonly headers?: Readonly<Record<string, string>>
}

export function createRequests(
  options: RequestsOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const { intake, bodyBytesMax, budget, requestsMax } = options
  let inProgress = 0

  /** What can be said from the headers alone. */
  function refusal(request: IncomingMessage): Answer | undefined {
    const path = request.url?.split('?')[0]
    if (path !== INGEST_PATH) return problem(404, `nothing here; records are pushed to POST ${INGEST_PATH}`)
    if (request.method !== 'POST') return { ...problem(405, 'only POST'), headers: { allow: 'POST' } }
    if (!options.isAllowed(request.headers.authorization)) {
      return { ...problem(401, 'a bearer token is needed'), headers: { 'www-authenticate': 'Bearer' } }
    }
    const state = options.state()
    if (state === 'draining') return problem(503, 'this node is shutting down')
    if (state === 'closed') return busy(options.closedReason())
    if (inProgress >= requestsMax) return busy(`more than ${requestsMax} requests at once`)
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding !== 'gzip' && encoding !== 'identity')
      return problem(415, `content-encoding ${encoding}: use gzip or none`)
    const type = mediaType(request)
    if (type === 'application/json' || LINE_TYPES.has(type)) return undefined
    return problem(
      415,
      `content-type ${type || '(none)'}: use application/x-ndjson, application/json or text/plain`,
    )
  }

  async function ingest(request: IncomingMessage): Promise<Answer | undefined> {
    const read = await readBody(request, bodyBytesMax, budget)
    if (read === 'disconnected') return undefined
    if ('status' in read) return read.status === 429 ? busy(read.problem) : problem(read.status, read.problem)
    try {
      const fault = mediaType(request) === 'application/json' ? elementsToLines(read.body) : undefined
      if (fault !== undefined) {
        return {
          status: 400,
          body: { error: `byte ${fault.offset}: ${fault.problem}`, offset: fault.offset },
        }
      }
      return answerOf(await intake.accept(read.body))
    } finally {
      budget.give(read.body.length)
    }
  }

  function answerOf(result: Awaited<ReturnType<Intake['accept']>>): Answer {
    switch (result.outcome) {
      case 'durable':
        return { status: 200, body: { records: result.records } }
      case 'refused':
        return options.state() === 'draining'
          ? problem(503, 'this node is shutting down')
          : busy('nothing was taken in time')
      case 'unknown':
        return problem(
          503,
          'the records were taken, but not confirmed in time; sent again they may be stored twice',
        )
    }
  }

  function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    options.onAnswer(answer.status)
    const text = JSON.stringify(answer.body)
    // A body that was not read to its end would be taken for the next request.
    const close: Record<string, string> = request.complete ? {} : { connection: 'close' }
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    response.writeHead(answer.status, { ...headers, ...answer.headers, ...close }).end(text)
  }

  return async (request, response) => {
    const refused = refusal(request)
    if (refused !== undefined) return send(request, response, refused)
    inProgress++
    try {
      const answer = await ingest(request)
      if (answer !== undefined) send(request, response, answer)
    } finally {
      inProgress--
    }
  }
}

function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

function problem(status: number, error: string): Answer {
  return { status, body: { error } }
}

function busy(error: string): Answer {
  return { status: 429, body: { error }, headers: { 'retry-after': RETRY_AFTER_S } }
}
