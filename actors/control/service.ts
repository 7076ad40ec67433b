// The micro service `millrace`: each verb an endpoint on a subject of its own, so that accounts can grant them apart.
import { Svcm, type Service, type ServiceMsg } from '@nats-io/services'
import type { NatsConnection } from 'nats'
import {
  type ControlAnswer,
  type ControlEnvelope,
  parseEnvelope,
  REQUEST_BYTES_MAX,
  type Verb,
  verbNames,
  VERBS,
} from '../../protocol/control/verbs.js'
import { toWireError } from '../../protocol/errors.js'
import { controlSubject, SERVICE_NAME } from '../../protocol/subjects.js'
import type { Clock } from '../../runtime/clock.js'
import { PAYLOAD_BYTES_MIN } from '../../runtime/nats/connection.js'
import { tapMessages } from './tap-messages.js'

export interface ServiceOptions {
  readonly node: { readonly id: string; readonly clusterId: string }
  readonly version: string
  readonly clock: Clock
  /** Hands a request on; its answer comes by `answer`, a tap's lines by `lines`. */
  ask(id: number, envelope: ControlEnvelope, known: string | undefined): void
  cancel(id: number): void
  refused(reason: string): void
}

export interface ControlService {
  attach(connection: NatsConnection): Promise<void>
  detach(): void
  answer(id: number, answer: ControlAnswer): void
  lines(id: number, ndjson: string): void
  /** Once a second. */
  tick(): void
}

/** Set by the server on requests that cross accounts: https://docs.nats.io/nats-concepts/security/accounts */
const REQUEST_INFO = 'Nats-Request-Info'
/** A tap lives so long after its caller last asked for it under the same id. */
const TAP_LEASE_MS = 15_000
const WAITING_MAX = 256
/** Of a refusal's message: the text and the header together stay far below the least max_payload that is accepted. */
const REFUSAL_CHARS_MAX = 16 * 1024
const HEADER_CHARS_MAX = 1024

interface Talk {
  readonly verb: Verb
  readonly request: ServiceMsg
  readonly connection: NatsConnection
  /** Of a tap: what its caller calls it. */
  readonly tapId: string | undefined
  renewedMs: number
  answered: boolean
}

export function createControlService(options: ServiceOptions): ControlService {
  const { clock } = options
  const talks = new Map<number, Talk>()
  let service: Service | undefined
  let last = 0

  function take(connection: NatsConnection, verb: Verb, request: ServiceMsg): void {
    let envelope: ControlEnvelope
    try {
      if (request.data.length > REQUEST_BYTES_MAX)
        throw new Error(`a request has at most ${REQUEST_BYTES_MAX} bytes`)
      envelope = parseEnvelope(request.string(), verb)
    } catch (error) {
      const { code, message } = toWireError(error)
      options.refused('form')
      return respond(request, { ok: false, code, message })
    }
    const tapId = typeof envelope.args['id'] === 'string' ? envelope.args['id'].slice(0, 64) : undefined
    if (verb === 'tap' && renew(tapId)) return respond(request, { ok: true, result: { renewed: true } })
    if (talks.size >= WAITING_MAX) {
      options.refused('busy')
      return respond(request, {
        ok: false,
        code: 'control.busy',
        message: 'too many requests wait; try again',
      })
    }
    const id = ++last
    talks.set(id, { verb, request, connection, tapId, renewedMs: clock.monotonic(), answered: false })
    options.ask(id, envelope, request.headers?.get(REQUEST_INFO) || undefined)
  }

  function renew(tapId: string | undefined): boolean {
    if (tapId === undefined) return false
    for (const talk of talks.values()) {
      if (talk.tapId !== tapId || talk.verb !== 'tap') continue
      talk.renewedMs = clock.monotonic()
      return true
    }
    return false
  }

  /** What the server would not take is answered by why; it would end the actor. */
  function fitting(answer: ControlAnswer, { verb, connection }: Talk): ControlAnswer {
    const bytesMax = payloadMax(connection)
    const bytes = answer.ok ? Buffer.byteLength(JSON.stringify(answer)) : 0
    if (bytes <= bytesMax) return answer
    options.refused('too_long')
    const message = `the answer to ${verb} has ${bytes} bytes, and this NATS takes messages of up to ${bytesMax}; ask the node by its socket, or raise max_payload`
    return { ok: false, code: 'control.too_long', message }
  }

  function end(id: number): void {
    talks.delete(id)
    options.cancel(id)
  }

  return {
    async attach(connection) {
      const { id, clusterId } = options.node
      const fresh = await new Svcm(connection).add({
        name: SERVICE_NAME,
        version: options.version,
        description: 'A node of the log pipeline Millrace',
        metadata: { node: id, cluster: clusterId },
        // Each node answers for itself.
        queue: '',
      })
      service = fresh
      for (const verb of verbNames) {
        const { effect, summary } = VERBS[verb]
        fresh.addEndpoint(verb, {
          subject: controlSubject(id, verb),
          metadata: { effect, summary },
          handler: (error, request) => {
            if (error === null) take(connection, verb, request)
          },
        })
      }
    },
    detach() {
      service = undefined
      for (const id of [...talks.keys()]) end(id)
    },
    answer(id, answer) {
      const talk = talks.get(id)
      if (talk === undefined) return
      respond(talk.request, fitting(answer, talk))
      talk.answered = true
      if (talk.verb !== 'tap' || !answer.ok) talks.delete(id)
    },
    lines(id, ndjson) {
      const talk = talks.get(id)
      const to = talk?.request.reply
      if (talk === undefined || to === undefined || talk.connection.isClosed()) return
      const { messages, tooLong } = tapMessages(ndjson, payloadMax(talk.connection))
      for (let n = 0; n < tooLong; n++) options.refused('too_long')
      for (const message of messages) talk.connection.publish(to, message)
    },
    tick() {
      for (const [id, { verb, renewedMs }] of talks)
        if (verb === 'tap' && clock.monotonic() - renewedMs > TAP_LEASE_MS) end(id)
      if (service?.isStopped === true) service = undefined
    },
  }
}

const payloadMax = (connection: NatsConnection) => connection.info?.max_payload ?? PAYLOAD_BYTES_MIN

/** An answer's code as the micro protocol's header has it, after HTTP: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-32.md */
function respond(request: ServiceMsg, answer: ControlAnswer): void {
  if (answer.ok) return void request.respond(JSON.stringify(answer))
  const message = cut(answer.message, REFUSAL_CHARS_MAX)
  const header = cut(message.split(/[\r\n]/, 1)[0] ?? '', HEADER_CHARS_MAX)
  request.respondError(statusOf(answer.code), header, JSON.stringify({ ...answer, message }))
}

const cut = (text: string, charsMax: number) =>
  text.length > charsMax ? `${text.slice(0, charsMax)}…` : text

function statusOf(code: string): number {
  if (code === 'control.forbidden') return 403
  if (code === 'control.busy' || code === 'control.taps') return 429
  if (code === 'control.unsupported') return 404
  return code === 'control.failed' || code === 'control.too_long' ? 500 : 400
}
