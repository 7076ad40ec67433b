// What a node can be told while it runs: each verb with its arguments and whether it changes something.
import { MillraceError } from '../errors.js'
import { compileFilter } from '../filter.js'

/** `read` shows, `change` changes: accounts grant them apart, by the last token of the subject. */
export const VERBS = {
  status: { effect: 'read', summary: "the node's status, as /status gives it" },
  actors: { effect: 'read', summary: 'actors, their thread groups and restarts' },
  config: { effect: 'read', summary: 'the configuration in effect, secrets hidden' },
  tap: { effect: 'read', summary: 'the records that pass, filtered and at a bounded rate' },
  drain: { effect: 'change', summary: 'stop reading sources and deliver what was read' },
  resume: { effect: 'change', summary: 'read sources again' },
  reload: { effect: 'change', summary: 'read the configuration file again, as SIGHUP does' },
  breaker: { effect: 'change', summary: "hold a backend's breaker open or closed, or reset it" },
  boost: { effect: 'change', summary: 'keep everything of a service or pod for a time' },
  restart: { effect: 'change', summary: 'restart the thread group of an actor' },
  capture: { effect: 'change', summary: 'capture the last words of a pod now' },
} as const satisfies Record<string, { readonly effect: 'read' | 'change'; readonly summary: string }>

export type Verb = keyof typeof VERBS
export const verbNames = Object.keys(VERBS) as Verb[]

export type BreakerAction = 'open' | 'close' | 'reset'
export interface BoostArgs {
  readonly match: Readonly<Partial<Record<'namespace' | 'pod' | 'pod_uid' | 'service', string>>>
  /** From now on; 0 ends it. */
  readonly forMs: number
}
export interface CaptureArgs {
  readonly namespace: string
  readonly pod: string
  readonly container?: string
}

/** A request as it is understood. */
export type ControlRequest =
  | { readonly verb: 'status' | 'actors' | 'config' | 'drain' | 'resume' | 'reload' }
  | { readonly verb: 'tap'; readonly filter: string; readonly rate: number }
  | { readonly verb: 'breaker'; readonly backend: string; readonly action: BreakerAction }
  | ({ readonly verb: 'boost' } & BoostArgs)
  | { readonly verb: 'restart'; readonly actor: string }
  | ({ readonly verb: 'capture' } & CaptureArgs)

/** What goes over the socket and over NATS, as JSON; `by` is who the caller says to be, for the log. */
export interface ControlEnvelope {
  readonly verb: string
  readonly args: Readonly<Record<string, unknown>>
  readonly by: string
}

export type ControlAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string }

/** One request, and one answer but a status of many actors. */
export const REQUEST_BYTES_MAX = 64 * 1024
const BY_CHARS_MAX = 128
const NAME_CHARS_MAX = 253
const RATE_DEFAULT = 100
/** Over the network a tap is for looking, not for copying. */
const RATE_MAX = 5000
const BOOST_DEFAULT_MS = 10 * 60_000
const BOOST_MAX_MS = 24 * 3_600_000
const MATCH_KEYS = ['namespace', 'pod', 'pod_uid', 'service'] as const

/** Throws `usage.control` for what is no request. `verb` is given where the subject says it. */
export function parseEnvelope(text: string, verb?: string): ControlEnvelope {
  let value: unknown = {}
  try {
    if (text.trim() !== '') value = JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('usage.control', 'a request is a JSON object such as {"args":{}}', { cause })
  }
  if (!isObject(value)) throw bad('a request is a JSON object such as {"args":{}}')
  const { args = {}, by = 'unknown' } = value
  const name = verb ?? value['verb']
  if (!isObject(args)) throw bad('args: expected an object')
  if (typeof name !== 'string') throw bad(`verb: expected one of ${verbNames.join(', ')}`)
  // Control characters would forge lines of a log that is looked at as text.
  const who =
    typeof by === 'string' ? by.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, BY_CHARS_MAX) : 'unknown'
  return { verb: name, args, by: who }
}

export function isVerb(name: string): name is Verb {
  return Object.hasOwn(VERBS, name)
}

/** Throws `usage.control` with the verb, the argument, what was found and what was expected. */
export function parseRequest({ verb, args }: ControlEnvelope): ControlRequest {
  if (!isVerb(verb))
    throw bad(`${JSON.stringify(verb.slice(0, 40))} is no verb; there are ${verbNames.join(', ')}`)
  switch (verb) {
    case 'status':
    case 'actors':
    case 'config':
    case 'drain':
    case 'resume':
    case 'reload':
      onlyKeys(verb, args, [])
      return { verb }
    case 'tap':
      onlyKeys(verb, args, ['filter', 'rate', 'id'])
      return { verb, filter: filterOf(args['filter'] ?? ''), rate: rateOf(args['rate'] ?? RATE_DEFAULT) }
    case 'breaker':
      onlyKeys(verb, args, ['backend', 'action'])
      return { verb, backend: nameOf(verb, 'backend', args['backend']), action: actionOf(args['action']) }
    case 'restart':
      onlyKeys(verb, args, ['actor'])
      return { verb, actor: nameOf(verb, 'actor', args['actor']) }
    case 'boost':
      return { verb, ...boostOf(args) }
    case 'capture': {
      onlyKeys(verb, args, ['namespace', 'pod', 'container'])
      const container =
        args['container'] === undefined ? {} : { container: nameOf(verb, 'container', args['container']) }
      const [namespace, pod] = [
        nameOf(verb, 'namespace', args['namespace']),
        nameOf(verb, 'pod', args['pod']),
      ]
      return { verb, namespace, pod, ...container }
    }
  }
}

function boostOf(args: ControlEnvelope['args']): BoostArgs {
  onlyKeys('boost', args, [...MATCH_KEYS, 'forMs'])
  const given = MATCH_KEYS.filter((key) => args[key] !== undefined)
  if (given.length === 0) throw bad(`boost: nothing to match; give at least one of ${MATCH_KEYS.join(', ')}`)
  const match = Object.fromEntries(given.map((key) => [key, nameOf('boost', key, args[key])]))
  const forMs = args['forMs'] ?? BOOST_DEFAULT_MS
  if (typeof forMs !== 'number' || !(forMs >= 0 && forMs <= BOOST_MAX_MS))
    throw bad(`boost: forMs: got ${shown(forMs)}, expected ms, at most a day (${BOOST_MAX_MS}); 0 ends it`)
  return { match, forMs }
}

function filterOf(value: unknown): string {
  if (typeof value !== 'string') throw bad(`tap: filter: got ${shown(value)}, expected a text`)
  compileFilter(value)
  return value
}

function rateOf(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= RATE_MAX)
    return value as number
  throw bad(`tap: rate: got ${shown(value)}, expected records per second, 1 to ${RATE_MAX}`)
}

function actionOf(value: unknown): BreakerAction {
  if (value === 'open' || value === 'close' || value === 'reset') return value
  throw bad(`breaker: action: got ${shown(value)}, expected open, close or reset`)
}

function nameOf(verb: Verb, key: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= NAME_CHARS_MAX) return value
  throw bad(`${verb}: ${key}: got ${shown(value)}, expected a name`)
}

function onlyKeys(verb: Verb, args: ControlEnvelope['args'], allowed: readonly string[]): void {
  const extra = Object.keys(args).find((key) => !allowed.includes(key))
  if (extra === undefined) return
  const known = allowed.length === 0 ? 'it takes none' : `it takes ${allowed.join(', ')}`
  throw bad(`${verb}: unknown argument ${JSON.stringify(extra.slice(0, 40))}; ${known}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const shown = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 60))
const bad = (text: string) => new MillraceError('usage.control', text)
