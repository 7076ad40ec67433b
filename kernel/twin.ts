// The twin: scan, clean and emit of one record in plain TypeScript, the oracle that the kernel is tested against. Not for the hot path.
import { type CleanMember, cleanText } from './clean.js'
import type { ContextFields } from './context.js'
import type { FieldNames } from './fields.js'
import { isReadable, type Target, targetOf, trustBit } from './names.js'
import { TRUST } from './table.js'
import { readFields, type TwinFields } from './twin-fields.js'
import { levelOfRaw, textLevel } from './twin-level.js'
import { formatTime, type ReadTime, readTime, readTimeValue } from './twin-time.js'

export interface TwinMeta {
  readonly stderr: boolean
  /** The CRI prefix's time, when there was one. */
  readonly criTime?: { readonly ns: bigint; readonly digits: number }
  readonly criMalformed?: boolean
  readonly truncated?: boolean
  readonly nowMs: number
  /** 0 < rate <= 1, an f32; default 1. */
  readonly rate?: number
  /** What carries status and latency; default nothing. */
  readonly fields?: FieldNames
}

export interface TwinRecord {
  /** The canonical record, without the newline. */
  readonly line: string
  readonly json: boolean
  /** 0 unknown … 6 FATAL, fallback applied. */
  readonly level: number
  readonly tsNs: bigint
  readonly tsDigits: number
  /** Raw text between the quotes, undefined when the record has none of its own. */
  readonly service: string | undefined
  readonly namespace: string | undefined
  readonly traceId: string | undefined
  readonly logType: number
  /** SLOW bits of what cleaning changed. */
  readonly reasons: number
  readonly dropped: number
  /** Status and latency. */
  readonly fields: TwinFields
}

const NO_FIELDS: FieldNames = { status: [], latency: [] }
const LEVELS = ['unknown', 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']
const LOG_TYPES = ['app', 'audit', 'metric']
const encoder = new TextEncoder()

interface Sorted {
  readonly targets: ReadonlyMap<Target, string>
  readonly own: readonly string[]
  readonly dropped: number
}

/** Which members go to which target, which stay, how many are dropped. */
function sortMembers(members: readonly CleanMember[], trust: number): Sorted {
  const targets = new Map<Target, string>()
  const own: string[] = []
  let dropped = 0
  for (const member of members) {
    const target = targetOf(member.key)
    const trusted = target !== undefined && (trustBit(target) & trust) !== 0
    const stays = target === undefined || ((target === 'stream' || target === 'labels') && !trusted)
    if (stays || (!trusted && target !== 'reserved' && !isReadable(target, member.value)))
      own.push(member.text)
    else if (trusted || target === 'reserved' || targets.has(target)) dropped++
    else targets.set(target, member.value)
  }
  return { targets, own, dropped }
}

/** `sample_rate` as text: six significant digits, no exponent. */
export function rateText(rate: number): string {
  const value = Math.fround(rate)
  const [digits = '', exponent = '0'] = value.toExponential(5).split('e')
  if (Number(exponent) >= 0) return '0.999999'
  return `0.${'0'.repeat(-Number(exponent) - 1)}${digits.replace('.', '').replace(/0+$/, '')}`
}

function withoutReturn(content: Uint8Array): Uint8Array {
  return content.at(-1) === 13 ? content.subarray(0, -1) : content
}

function pair(name: string, raw: string | undefined): string {
  return raw === undefined ? '' : `,"${name}":${raw}`
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text)
}

/** Everything between log_type and the labels' end. */
function hostPart(targets: ReadonlyMap<Target, string>, context: ContextFields, meta: TwinMeta): string {
  const or = (target: Target, fallback: string | undefined): string | undefined =>
    targets.get(target) ?? quoted(fallback)
  const hasStream =
    meta.criTime !== undefined || ((context.trust & TRUST.STREAM) !== 0 && meta.criMalformed !== true)
  const labels = Object.entries(context.labels ?? {}).map(([key, value]) =>
    pairOf(`kubernetes.labels.${key}`, value),
  )
  return [
    pair('pod_uid', or('pod_uid', context.pod_uid)),
    pair('namespace', or('namespace', context.namespace)),
    pair('cluster_id', quoted(context.cluster_id)),
    pair('log_type', or('log_type', context.log_type)),
    pair('pod_name', or('pod_name', context.pod_name)),
    pair('container_name', or('container_name', context.container_name)),
    pair('node_name', or('node_name', context.node_name)),
    hasStream ? pair('stream', meta.stderr ? '"stderr"' : '"stdout"') : '',
    ...labels,
  ].join('')
}

function pairOf(key: string, value: string): string {
  return `,${JSON.stringify(key)}:${JSON.stringify(value)}`
}

function timeOf(raw: string | undefined, meta: TwinMeta): ReadTime & { text?: string } {
  const own = raw === undefined ? undefined : readTimeValue(raw)
  if (own !== undefined) return own.canonical && raw !== undefined ? { ...own, text: raw.slice(1, -1) } : own
  if (meta.criTime !== undefined) return { ...meta.criTime, canonical: false }
  return { ns: BigInt(meta.nowMs) * 1_000_000n, digits: 3, canonical: false }
}

/** Content of a record (after any CRI prefix) → its canonical form. */
export function canonicalize(content: Uint8Array, context: ContextFields, meta: TwinMeta): TwinRecord {
  const hasLabels = Object.keys(context.labels ?? {}).length > 0
  const trust =
    context.trust | (hasLabels ? TRUST.LABELS : 0) | (meta.criTime === undefined ? 0 : TRUST.STREAM)
  const { text, members, reasons, dropped } = cleanText(withoutReturn(content), trust)
  const json = members !== undefined
  const sorted: Sorted = json ? sortMembers(members, trust) : { targets: new Map(), own: [], dropped: 0 }
  const { targets } = sorted
  const bytes = json ? '' : Buffer.from(encoder.encode(text)).toString('latin1')
  const ownLevel = json ? levelOfRaw(targets.get('log_level') ?? '') : textLevel(bytes)
  const level = ownLevel === 0 ? context.log_level : ownLevel
  const time = timeOf(targets.get('timestamp'), meta)
  const logTypeRaw = targets.get('log_type')
  const line = [
    `{"timestamp":"${time.text ?? formatTime(time.ns, time.digits)}","log_level":"${LEVELS[level]}"`,
    pair('service_name', targets.get('service_name') ?? quoted(context.service_name)),
    hostPart(targets, context, meta),
    pair('source', targets.get('source')),
    pair('trace_id', targets.get('trace_id')),
    meta.rate === undefined || meta.rate >= 1 ? '' : pair('sample_rate', rateText(meta.rate)),
    pair('message', json ? targets.get('message') : JSON.stringify(text)),
    ...sorted.own.map((member) => `,${member}`),
    meta.truncated === true ? ',"truncated":true}' : '}',
  ].join('')
  return {
    line,
    json,
    level,
    tsNs: time.ns,
    tsDigits: time.digits,
    service: targets.get('service_name')?.slice(1, -1),
    namespace: targets.get('namespace')?.slice(1, -1),
    traceId: targets.get('trace_id')?.slice(1, -1),
    logType:
      logTypeRaw === undefined
        ? LOG_TYPES.indexOf(context.log_type)
        : LOG_TYPES.indexOf(logTypeRaw.slice(1, -1)),
    reasons,
    dropped: dropped + sorted.dropped,
    fields: readFields(members ?? [], meta.fields ?? NO_FIELDS),
  }
}

export interface CriLine {
  /** Byte offset of the content in the line. */
  readonly contentAt: number
  readonly stderr: boolean
  readonly partial: boolean
  readonly ns: bigint
  readonly digits: number
}

const CRI =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF])(?::[^ ]*)?(?: |$)/

/** The CRI prefix of a line (one character per byte, no \n, no \r at the end); undefined when it is malformed. */
export function splitCri(line: string): CriLine | undefined {
  const found = CRI.exec(line)
  const time = found === null || (found[1] ?? '').length > 48 ? undefined : readTime(found[1] ?? '')
  if (found === null || time === undefined) return undefined
  const { ns, digits } = time
  return { contentAt: found[0].length, stderr: found[2] === 'stderr', partial: found[3] === 'P', ns, digits }
}
