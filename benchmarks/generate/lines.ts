// The contents of generated records: the mix of a real cluster, with everything in it that breaks log pipelines.
import { levelAt, MISSION_MIX } from './mix.js'

export interface GeneratedLine {
  readonly content: Buffer
  /** The level that the canonical record must have. */
  readonly level: string
  readonly stderr: boolean
}

export interface LineOptions {
  readonly service: string
  /** Running number, found again in every record as `seq`. */
  readonly seq: number
  readonly stamp: string
  /** 0 plain JSON only; 1 the whole zoo. */
  readonly zoo: boolean
  readonly random: () => number
}

export function generateLine(options: LineOptions): GeneratedLine {
  const { random, service, seq } = options
  const level = levelAt(MISSION_MIX, random())
  const kind = options.zoo ? random() : 0
  const json = jsonLine(options, level)
  if (kind < 0.85) return { content: Buffer.from(json), level, stderr: false }
  if (kind < 0.89)
    return text(
      `${level} ${service} did a thing seq=${seq} "quoted" and \\escaped\ttab`,
      level,
      random() < 0.5,
    )
  if (kind < 0.91)
    return text(
      `time=${options.stamp} level=${level.toLowerCase()} msg="logfmt line" seq=${seq}`,
      level,
      true,
    )
  if (kind < 0.93) {
    return text(
      `E1123 10:11:12.123456    4711 reconciler.go:88] klog line of ${service} seq=${seq}`,
      'ERROR',
      true,
    )
  }
  if (kind < 0.95) return { content: badUtf8(json), level, stderr: false }
  if (kind < 0.97) {
    const doubled = json.replace('"caller"', `"level":"fatal","nested":{"a":1,"a":2},"caller"`)
    return { content: Buffer.from(doubled), level, stderr: false }
  }
  if (kind < 0.98) return text(`${json.slice(0, -20)}`.replace(/^\{/, `${level} {`), level, false)
  if (kind < 0.99)
    return {
      content: Buffer.from(json.replace('"caller"', `"grüße":"日本語 🎉","caller"`)),
      level,
      stderr: false,
    }
  const padding = 'p'.repeat(18_000 + Math.floor(random() * 40_000))
  return {
    content: Buffer.from(json.replace('"caller"', `"padding":"${padding}","caller"`)),
    level,
    stderr: false,
  }
}

/** A line of `bytes` bytes, far over every limit: its record is cut. */
export function hugeLine({ service, seq }: LineOptions, bytes: number): GeneratedLine {
  const head = `ERROR ${service} seq=${seq} `
  return text(head + 'h'.repeat(bytes - head.length), 'ERROR', false)
}

function text(line: string, level: string, stderr: boolean): GeneratedLine {
  return { content: Buffer.from(line), level, stderr }
}

function badUtf8(json: string): Buffer {
  const bytes = Buffer.from(json)
  const at = bytes.indexOf('handled')
  bytes[at] = 0xff
  bytes[at + 1] = 0xc3
  return bytes
}

export interface JsonLineOptions {
  readonly service: string
  readonly seq: number
  readonly stamp: string
  readonly random: () => number
  /** How long the line shall be; left out: about 365 bytes, which are 405 with what the runtime puts before them. */
  readonly bytes?: number
}

/** A record as a service writes it. Below about 380 bytes it has fewer members; a `detail` of words fills the rest. */
export function jsonLine(options: JsonLineOptions, level: string): string {
  const { service, seq, stamp, random, bytes } = options
  const small = `{"ts":"${stamp}","level":"${level.toLowerCase()}","service_name":"${service}","seq":${seq}`
  const amount = Math.floor(random() * 100_000)
  const latency = Math.round(random() * 5000) / 10
  const failed = random() < (level === 'ERROR' || level === 'FATAL' ? 0.8 : 0.01)
  const status = failed ? 500 : 200
  const whole =
    `{"ts":"${stamp}","level":"${level.toLowerCase()}","service_name":"${service}","msg":"request handled","seq":${seq},` +
    `"caller":"handler/request.go:${100 + (seq % 400)}","trace_id":"${hex(32, random)}","span_id":"${hex(16, random)}",` +
    `"http":{"method":"POST","path":"/v1/orders/${amount}","status":${status}},"latency_ms":${latency},` +
    `"amount_usd":${amount},"user_agent":"Mozilla/5.0 (X11)"`
  const base = bytes !== undefined && bytes < whole.length + DETAIL_BYTES ? small : whole
  const missing = (bytes ?? 0) - base.length - DETAIL_BYTES
  return missing >= 0 ? `${base},"detail":"${words(missing, random)}"}` : `${base}}`
}

const DETAIL_BYTES = ',"detail":""}'.length
const WORDS = 'order payment of customer was taken by node after retry with token for cart at gateway'.split(
  ' ',
)

function words(bytes: number, random: () => number): string {
  let text = ''
  while (text.length < bytes) {
    const number = Math.floor(random() * 100_000)
    text += `${WORDS[number % WORDS.length] ?? ''} ${number} `
  }
  return text.slice(0, bytes)
}

function hex(digits: number, random: () => number): string {
  let text = ''
  while (text.length < digits)
    text += Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return text
}
