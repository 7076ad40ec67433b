// Carries out what a node is told while it runs, for every way in alike: checked, permitted, and each change logged with who and what.
import type { Logger } from 'pino'
import {
  type BoostArgs,
  type BreakerAction,
  type CaptureArgs,
  type ControlAnswer,
  type ControlEnvelope,
  type ControlRequest,
  parseRequest,
  VERBS,
} from '../../protocol/control/verbs.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'

/** The functions behind the verbs. Each may throw a MillraceError that says why not. */
export interface ControlHost {
  status(): unknown
  actors(): unknown
  config(): unknown
  drain(): unknown
  resume(): unknown
  reload(): unknown
  breaker(backend: string, action: BreakerAction): unknown
  boost(boost: BoostArgs): unknown
  restart(actor: string): unknown
  capture(what: CaptureArgs): unknown
  /** Calls `onLines` with NDJSON (whole lines) until the signal aborts. */
  tap(filter: string, rate: number, onLines: (ndjson: string) => void, signal: AbortSignal): void
}

export interface Caller {
  /** The way in. */
  readonly via: 'socket' | 'nats'
  /** What is known of the caller beside the name it gives itself. */
  readonly known?: string
  /** Verbs that change something are refused, whoever asks. */
  readonly readOnly: boolean
  /** For a tap: where its lines go, and what ends it. */
  readonly stream?: { onLines(ndjson: string): void; readonly signal: AbortSignal }
}

export interface Control {
  /** Never rejects: what fails is an answer. */
  handle(envelope: ControlEnvelope, caller: Caller): Promise<ControlAnswer>
}

const TAPS_MAX = 8

export function createControl(
  host: ControlHost,
  log: Logger,
  count: (verb: string, outcome: string) => void,
): Control {
  let taps = 0
  // Whatever the node's level is: who changed what must be found again.
  const audit = log.level === 'silent' ? log : log.child({}, { level: 'info' })

  async function perform(request: ControlRequest, { stream }: Caller): Promise<unknown> {
    switch (request.verb) {
      case 'tap':
        return tap(request, stream)
      case 'breaker':
        return host.breaker(request.backend, request.action)
      case 'boost':
        return host.boost(request)
      case 'restart':
        return host.restart(request.actor)
      case 'capture':
        return host.capture(request)
      default:
        return host[request.verb]()
    }
  }

  function tap(request: ControlRequest & { verb: 'tap' }, stream: Caller['stream']): unknown {
    if (stream === undefined) throw new MillraceError('usage.control', 'tap: this way in can not stream')
    if (taps >= TAPS_MAX)
      throw new MillraceError('control.taps', `${TAPS_MAX} taps are open already; close one`)
    if (stream.signal.aborted) throw new MillraceError('control.gone', 'tap: its caller is gone')
    host.tap(request.filter, request.rate, (ndjson) => stream.onLines(ndjson), stream.signal)
    // A tap that could not be opened, or has ended meanwhile, takes none of the slots.
    if (stream.signal.aborted) return { rate: request.rate }
    taps++
    stream.signal.addEventListener('abort', () => void taps--, { once: true })
    return { rate: request.rate }
  }

  return {
    async handle(envelope, caller) {
      let request: ControlRequest | undefined
      try {
        request = parseRequest(envelope)
        const changes = VERBS[request.verb].effect === 'change'
        if (changes && caller.readOnly) {
          const text = `${request.verb} changes something, and this node only shows itself over NATS (nats.control: read); use the socket on its host`
          throw new MillraceError('control.forbidden', text)
        }
        const result = (await perform(request, caller)) ?? {}
        if (changes || request.verb === 'tap') record(audit, envelope, caller, 'done')
        count(request.verb, 'done')
        return { ok: true, result }
      } catch (error) {
        const code = error instanceof MillraceError ? error.code : 'control.failed'
        const message = saidOf(error)
        if (!(error instanceof MillraceError)) log.error({ err: error, verb: envelope.verb }, 'a verb failed')
        if (request === undefined || VERBS[request.verb].effect === 'change')
          record(audit, envelope, caller, 'refused', message)
        count(request?.verb ?? 'unknown', code === 'control.failed' ? 'failed' : 'refused')
        return { ok: false, code, message }
      }
    },
  }
}

/** One line of the audit log; pino adds when. */
function record(
  log: Logger,
  { verb, args, by }: ControlEnvelope,
  { via, known }: Caller,
  outcome: 'done' | 'refused',
  reason?: string,
): void {
  const said = JSON.stringify(args)
  const line = {
    event: 'control',
    verb: verb.slice(0, 40),
    args: said.length > 500 ? `${said.slice(0, 500)}…` : args,
    by,
    via,
    ...(known === undefined ? {} : { known }),
    outcome,
    ...(reason === undefined ? {} : { reason }),
  }
  log.info(line, `control: ${line.verb} ${outcome}`)
}
