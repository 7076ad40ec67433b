// `millrace bench generate`: writes the logs of a synthetic cluster into a folder, at a rate or as fast as the disk takes them.
import { mkdirSync } from 'node:fs'
import { MillraceError } from '../../protocol/errors.js'
import { parseBytes, parseDurationMs } from '../../protocol/config/values.js'
import { systemClock } from '../../runtime/clock.js'
import { type Declarations, optionLines, type Options, readOptions } from '../harness/options.js'
import { format } from '../harness/runner.js'
import { parseMix } from './mix.js'
import { type Burst, paceTraffic } from './pace.js'
import { createTraffic, type TrafficOptions } from './traffic.js'

export const GENERATE_SUMMARY = 'write the logs of a synthetic cluster into a folder'

export const GENERATE_OPTIONS: Declarations = {
  root: { value: 'folder', text: 'log root; pods get folders as under /var/log/pods' },
  pods: { value: 'n', default: '10', text: 'pods that write, one file each' },
  services: { value: 'n', text: 'services they belong to (default: as many as pods, at most 10)' },
  namespace: { value: 'name', default: 'shop', text: 'their namespace' },
  rate: { value: 'n', default: '0', text: 'records per second of all pods; 0 as fast as possible' },
  records: { value: 'n', text: 'stop after so many' },
  for: { value: 'duration', text: 'stop after so long, such as 30s' },
  mix: { value: 'shares', text: 'levels, such as info=80,warn=15,error=5' },
  bytes: { value: 'size|from..to', text: 'bytes of a line, such as 400 or 100..16384 (default about 365)' },
  partials: { value: 'share', default: '0', text: 'records of 40 KB, which the runtime splits in pieces' },
  texts: { value: 'share', default: '0', text: 'lines that are not JSON' },
  rotate: { value: 'size', default: '10MiB', text: 'rotate a file when it has grown to this; 0 never' },
  keep: { value: 'n', text: 'rotated files of a pod that stay, such as 5 for the kubelet (default: all)' },
  skew: { value: 'z', default: '0', text: "how unequal the pods are: Zipf's exponent, 0 all the same" },
  burst: {
    value: 'every:for:factor',
    text: 'such as 60s:5s:3: each minute five seconds of three times the rate and mostly errors from every fourth service',
  },
  seed: { value: 'n', default: '1', text: 'the same seed gives the same records' },
  json: { text: 'print the counts as JSON' },
  help: { text: 'show this' },
}

/** Throws `usage.*`. */
export async function generateCommand(words: readonly string[], stop?: AbortSignal): Promise<0> {
  const options = readOptions(GENERATE_OPTIONS, words, 'bench generate')
  if (options.has('help')) {
    process.stdout.write(
      `Usage: millrace bench generate --root DIR [options]\n\n${optionLines(GENERATE_OPTIONS).join('\n')}\n`,
    )
    return 0
  }
  const pace = {
    rate: options.number('rate'),
    records: options.has('records') ? options.number('records', 1) : undefined,
    durationMs: options.has('for') ? durationOf(options, 'for') : undefined,
    burst: options.has('burst') ? burstOf(options.text('burst')) : undefined,
  }
  const traffic = createTraffic(trafficOptions(options))
  traffic.prepare()
  const startedMs = performance.now()
  const before = process.cpuUsage()
  try {
    await paceTraffic(traffic, pace, systemClock, stop ?? new AbortController().signal)
  } finally {
    traffic.close()
  }
  const seconds = (performance.now() - startedMs) / 1000
  const cpu = process.cpuUsage(before)
  const counts = {
    records: traffic.written(),
    bytes: traffic.bytes(),
    seconds: Math.round(seconds * 1000) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    recordsPerSecond: Math.round(traffic.written() / seconds),
    levels: traffic.levels(),
  }
  process.stdout.write(options.has('json') ? `${JSON.stringify(counts)}\n` : `${countsText(counts)}\n`)
  return 0
}

function countsText(counts: {
  records: number
  bytes: number
  seconds: number
  cpuSeconds: number
  recordsPerSecond: number
}): string {
  const { records, bytes, seconds, cpuSeconds, recordsPerSecond } = counts
  return `${format(records)} records, ${format(bytes / 1e6)} MB in ${seconds} s: ${format(recordsPerSecond)} records/s, ${format(records / cpuSeconds)} records per CPU second`
}

function trafficOptions(options: Options): TrafficOptions {
  const root = options.text('root')
  mkdirSync(root, { recursive: true })
  return {
    root,
    pods: options.number('pods', 1),
    services: options.has('services') ? options.number('services', 1) : undefined,
    namespace: options.text('namespace'),
    seed: options.number('seed'),
    mix: options.has('mix') ? parseMix(options.text('mix')) : undefined,
    sizes: options.has('bytes') ? sizesOf(options.text('bytes')) : undefined,
    partials: options.number('partials'),
    texts: options.number('texts'),
    rotateBytes: bytesOf(options, 'rotate'),
    keepRotated: options.has('keep') ? options.number('keep', 1) : undefined,
    skew: options.number('skew'),
  }
}

function durationOf(options: Options, name: string): number {
  const ms = parseDurationMs(options.text(name))
  if (ms !== undefined && ms > 0) return ms
  throw new MillraceError(
    'usage.bench',
    `--${name}: got "${options.text(name)}", expected a duration such as 30s`,
  )
}

function bytesOf(options: Options, name: string): number {
  const text = options.text(name)
  const bytes = text === '0' ? 0 : parseBytes(text)
  if (bytes !== undefined) return bytes
  throw new MillraceError('usage.bench', `--${name}: got "${text}", expected a size such as 10MiB`)
}

/** `400` or `100..16384`. */
export function sizesOf(text: string): readonly [number, number] {
  const [least = Number.NaN, most = least] = text.split('..').map(Number)
  if (least >= 1 && most >= least && most <= 1_000_000) return [least, most]
  throw new MillraceError(
    'usage.bench',
    `--bytes: got "${text}", expected a size of up to 1000000 or a range such as 100..16384`,
  )
}

/** `60s:5s:3`. */
export function burstOf(text: string): Burst {
  const [every = '', length = '', factor = ''] = text.split(':')
  const everyMs = parseDurationMs(every) ?? Number.NaN
  const lengthMs = parseDurationMs(length) ?? Number.NaN
  const number = Number(factor)
  if (lengthMs > 0 && everyMs >= lengthMs && factor !== '' && number > 0)
    return { everyMs, lengthMs, factor: number }
  throw new MillraceError('usage.bench', `--burst: got "${text}", expected every:for:factor such as 60s:5s:3`)
}
