// What the generator's options may say: sizes, shares, bursts and names, each with its bounds; each error names the accepted form.
import { parseBytes, parseDurationMs } from '../../protocol/config/units.js'
import { MillraceError } from '../../protocol/errors.js'
import type { Options } from '../harness/options.js'
import type { Burst } from './pace.js'

/** Below it the members that every record has do not fit. */
const LINE_BYTES_MIN = 128
const LINE_BYTES_MAX = 1_000_000
/** A DNS label, as Kubernetes has it (RFC 1123). */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/

/** `400`, `4KiB` or `128..16384`. */
export function sizesOf(text: string): readonly [number, number] {
  const ends = text
    .split('..')
    .map((end) => (/^\d+$/.test(end) ? Number(end) : (parseBytes(end) ?? Number.NaN)))
  const [least = Number.NaN, most = least] = ends
  if (ends.length <= 2 && least >= LINE_BYTES_MIN && most >= least && most <= LINE_BYTES_MAX)
    return [least, most]
  throw new MillraceError(
    'usage.bench',
    `--bytes: got "${text}", expected a size from ${LINE_BYTES_MIN} to ${LINE_BYTES_MAX} such as 4KiB, or a range such as 128..16384`,
  )
}

/** `60s:5s:3`. */
export function burstOf(text: string): Burst {
  const [every = '', length = '', factor = '', ...more] = text.split(':')
  const everyMs = parseDurationMs(every) ?? Number.NaN
  const lengthMs = parseDurationMs(length) ?? Number.NaN
  const number = Number(factor)
  const isFactor = factor !== '' && number > 0 && Number.isFinite(number)
  if (lengthMs > 0 && everyMs >= lengthMs && isFactor && more.length === 0)
    return { everyMs, lengthMs, factor: number }
  throw new MillraceError('usage.bench', `--burst: got "${text}", expected every:for:factor such as 60s:5s:3`)
}

/** Becomes part of a folder's name. */
export function namespaceOf(text: string): string {
  if (NAMESPACE.test(text)) return text
  throw new MillraceError(
    'usage.bench',
    `--namespace: got "${text}", expected at most 63 of a-z, 0-9 and -, such as shop`,
  )
}

/** Of all records, so that both together are at most 1. */
export function sharesOf(options: Options): { readonly partials: number; readonly texts: number } {
  const [partials, texts] = [options.number('partials', 0, 1), options.number('texts', 0, 1)]
  if (partials + texts <= 1) return { partials, texts }
  throw new MillraceError(
    'usage.bench',
    `--partials ${partials} and --texts ${texts}: shares of all records, expected at most 1 together`,
  )
}

export function bytesOf(options: Options, name: string): number {
  const text = options.text(name)
  const bytes = text === '0' ? 0 : parseBytes(text)
  if (bytes !== undefined) return bytes
  throw new MillraceError('usage.bench', `--${name}: got "${text}", expected a size such as 10MiB`)
}
