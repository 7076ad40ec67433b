// Each writer alone with frames from memory to an acknowledging sink, beside a client that sends ready bodies of the same size.
import { request } from 'undici'
import type { Bench, Case, Measurement } from '../harness/bench.js'
import { benchFrame } from '../harness/frames.js'
import type { Sinks } from '../harness/sinks.js'
import { type BackendInput, startWriter } from '../../test/writers/journal.js'
import type { TestFrame } from '../../test/writers/frames.js'

const FRAME_RECORDS = 1000
const DISTINCT = 8
/** What the journal would lend at once: 16 MiB of frames. */
const OUTSTANDING_MAX = 24
const REFERENCE = 'ready bulk bodies, plain client'
const WAIT_MS = 120_000

export const writersBench: Bench = {
  name: 'writers',
  summary: 'each writer alone: frames from memory, encoded and sent to a sink that acknowledges each record',
  metrics: [
    { key: 'recordsPerCpuSecond', label: 'records per CPU second', unit: '', better: 'higher' },
    { key: 'recordsPerSecond', label: 'records/s', unit: '', better: 'higher' },
    { key: 'microsPerRecord', label: 'a record', unit: 'CPU µs', better: 'lower', digits: 2 },
  ],
  ratios: ['recordsPerCpuSecond'],
  rounds: { default: 5, quick: 2, warmUp: 1 },
  options: {
    frames: { value: 'n', default: '400', quick: '60', text: 'frames of 1,000 records in one measurement' },
  },
  async open(options, kit) {
    const { scratch } = kit
    const frames = Array.from({ length: DISTINCT }, (_, n) => benchFrame(n, FRAME_RECORDS))
    const count = options.count('frames', 1)
    const sinks = await kit.sinks()
    const archive = { type: 'archive', path: scratch.fresh('archive') }
    return {
      cases: [
        {
          name: REFERENCE,
          role: 'reference',
          measure: async () => timed(count, () => plain(sinks, frames, count)),
        },
        writerCase('elasticsearch', { type: 'elasticsearch', url: sinks.es }, frames, count),
        writerCase('loki', { type: 'loki', url: sinks.loki }, frames, count),
        writerCase('archive', archive, frames, count),
      ],
      notes: [
        `frames of ${FRAME_RECORDS} records, ${Math.round((frames[0]?.raw.length ?? 0) / FRAME_RECORDS)} bytes each; CPU of the writer's thread and of what it starts, not of the sinks`,
      ],
    }
  },
}

function writerCase(name: string, backend: BackendInput, frames: readonly TestFrame[], count: number): Case {
  return {
    name,
    role: 'measured',
    against: REFERENCE,
    async measure() {
      const writer = await startWriter({ batch_age_max: '1s', timeout: '30s', ...backend })
      try {
        await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
        return await timed(count, async () => {
          for (let seq = 1; seq <= count; seq++) {
            const room = (): boolean => seq - writer.done.size <= OUTSTANDING_MAX
            if (!room()) await writer.until('room', room, WAIT_MS)
            writer.send(seq, frames[seq % frames.length] as TestFrame)
          }
          await writer.until('all done', () => writer.done.size >= count, WAIT_MS)
        })
      } finally {
        await writer.stop()
      }
    },
  }
}

/** Four frames a body, two at once: what a client can do that neither encodes nor keeps account. */
async function plain(sinks: Sinks, frames: readonly TestFrame[], count: number): Promise<void> {
  const bodies = frames.map(({ id, lines }) =>
    Buffer.from(lines.map((line, n) => `{"create":{"_id":"${id}-${n}"}}\n${line}\n`).join('')),
  )
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) {
      const parts = Array.from(
        { length: Math.min(4, count - next) },
        (_, n) => bodies[(next + n) % bodies.length],
      )
      next += parts.length
      const { statusCode, body } = await request(`${sinks.es}/logs/_bulk?filter_path=errors,items.*.status`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: Buffer.concat(parts as Buffer[]),
      })
      await body.arrayBuffer()
      if (statusCode !== 200) throw new Error(`the sink answered ${statusCode}`)
    }
  }
  await Promise.all([lane(), lane()])
}

async function timed(frames: number, run: () => Promise<void>): Promise<Measurement> {
  const startedMs = performance.now()
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  const cpuSeconds = (user + system) / 1e6
  const records = frames * FRAME_RECORDS
  return {
    recordsPerCpuSecond: records / cpuSeconds,
    recordsPerSecond: records / ((performance.now() - startedMs) / 1000),
    microsPerRecord: (cpuSeconds * 1e6) / records,
  }
}
