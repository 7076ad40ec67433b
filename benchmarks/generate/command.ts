// `millrace bench generate`: writes the logs of a synthetic cluster into a folder, at a rate or as fast as the disk takes them.
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { systemClock } from '../../runtime/clock.js'
import { makeFolder } from '../../runtime/make-folder.js'
import { type Declarations, optionLines, type Options, readOptions } from '../harness/options.js'
import { format } from '../harness/runner.js'
import { parseMix } from './mix.js'
import { type PaceOptions, paceTraffic } from './pace.js'
import {
  createTraffic,
  PODS_MAX,
  RECORDS_MAX,
  SERVICES_MAX,
  type Traffic,
  type TrafficOptions,
} from './traffic.js'
import { burstOf, bytesOf, namespaceOf, sharesOf, sizesOf } from './values.js'

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
  bytes: {
    value: 'size|from..to',
    text: 'bytes of a line, such as 400, 4KiB or 128..16384 (default about 365)',
  },
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
  const pace: PaceOptions = {
    rate: options.number('rate'),
    records: options.has('records') ? options.count('records', 1, RECORDS_MAX) : undefined,
    durationMs: options.has('for') ? options.durationMs('for') : undefined,
    burst: options.has('burst') ? burstOf(options.text('burst')) : undefined,
  }
  const traffic = openTraffic(trafficOptions(options))
  traffic.prepare()
  const startedMs = performance.now()
  const before = process.cpuUsage()
  try {
    await paceTraffic(traffic, pace, systemClock, stop ?? new AbortController().signal)
  } catch (cause) {
    throw cannotWrite(options.text('root'), cause)
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
  return {
    root: options.text('root'),
    pods: options.count('pods', 1, PODS_MAX),
    services: options.has('services') ? options.count('services', 1, SERVICES_MAX) : undefined,
    namespace: namespaceOf(options.text('namespace')),
    seed: options.count('seed', 0, 2 ** 32 - 1),
    mix: options.has('mix') ? parseMix(options.text('mix')) : undefined,
    sizes: options.has('bytes') ? sizesOf(options.text('bytes')) : undefined,
    ...sharesOf(options),
    rotateBytes: bytesOf(options, 'rotate'),
    keepRotated: options.has('keep') ? options.count('keep', 1) : undefined,
    skew: options.number('skew'),
  }
}

function openTraffic(options: TrafficOptions): Traffic {
  try {
    makeFolder(options.root)
    return createTraffic(options)
  } catch (cause) {
    throw cannotWrite(options.root, cause)
  }
}

/** What the system refuses is told as such; anything else is a fault of the generator. */
function cannotWrite(root: string, cause: unknown): unknown {
  const code = systemCode(cause)
  if (cause instanceof MillraceError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return cause
  return new MillraceError(
    'usage.write',
    `--root: ${root} can not be written (${code}); name another folder`,
    {
      cause,
    },
  )
}
