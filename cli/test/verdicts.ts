// Runs a test's lines through the real chain: what becomes of each record, why, and how it would be written.
import type { Verdict } from '../../actors/sample/rates.js'
import type { Streams } from '../../actors/sample/streams.js'
import type { OriginFields } from '../../actors/sources/tail/found.js'
import { FLAG, WORD } from '../../kernel/table.js'
import type { Config } from '../../protocol/config/schema.js'
import { namesTrace } from '../../protocol/sampling/consistent.js'
import type { ServiceName } from '../../protocol/traffic.js'
import { createOfflineChain, type OfflineChain } from '../offline/chain.js'
import { createEventClock } from '../offline/event-clock.js'
import type { PlacedTest } from './file.js'
import { originOf, runtimeLines } from './source.js'
import { settleTraffic } from './traffic.js'

export interface RecordVerdict {
  readonly why: Verdict['why']
  /** As the kernel holds it: a 32-bit float. */
  readonly rate: number
  readonly kept: boolean
  /** A rate between 0 and 1 decides by the trace where there is one, else by chance. */
  readonly byChance: boolean
  /** As the backends get it, or would if it were kept. */
  readonly record: Readonly<Record<string, unknown>>
}

export interface TestOutcome {
  readonly verdicts: readonly RecordVerdict[]
  /** Names of `traffic` that no record belongs to. */
  readonly unmet: readonly string[]
  /** `namespace/service` of the records. */
  readonly services: readonly string[]
}

type Judged = Omit<RecordVerdict, 'record'>

/** Throws `config.test` when the test names a source that there is not. */
export function judgeTest(config: Config, placed: PlacedTest): TestOutcome {
  const { test } = placed
  const origin = originOf(config, placed)
  const lines = Buffer.from(
    runtimeLines(origin, test)
      .map((line) => `${line}\n`)
      .join(''),
  )
  const services = new Map<string, ServiceName>()
  const verdicts: Judged[] = []
  const records: Record<string, unknown>[] = []
  let counts = false
  const clock = createEventClock(Date.parse(test.at))
  const chain = createOfflineChain({
    config,
    clock,
    judged(streams, from, to) {
      for (let n = from; n < to; n++) {
        if ((chain.scanner.flags(n) & FLAG.JUDGED) === 0) continue
        if (counts) verdicts.push(verdictOf(chain.scanner, streams, n))
        else meet(services, streams, chain.scanner.word(n, WORD.STREAM))
        emitOnly(chain.scanner, n, counts)
      }
    },
    kept: (_header, _stream, body, from, to) =>
      void records.push(
        JSON.parse(Buffer.from(body.subarray(from, to)).toString()) as Record<string, unknown>,
      ),
  })
  // The first time it is seen which services there are; then their traffic is set, and it counts.
  run(chain, 1, origin, lines)
  const { text, met } = settleTraffic(config, test, [...services.values()], clock.now())
  chain.live.decisions.publish(text)
  counts = true
  run(chain, 2, origin, lines)
  chain.end()
  return {
    verdicts: verdicts.map((verdict, n) => ({ ...verdict, record: records[n] ?? {} })),
    unmet: Object.keys(test.traffic).filter((name) => !met.has(name)),
    services: [...services.keys()],
  }
}

function run(chain: OfflineChain, id: number, origin: OriginFields, lines: Uint8Array): void {
  chain.open({ ...origin, id, source: 'test' })
  chain.feed(id, lines, true)
  chain.close(id)
}

type Scanner = OfflineChain['scanner']

function verdictOf(scanner: Scanner, streams: Streams, n: number): Judged {
  const status = scanner.word(n, WORD.STATUS)
  const { why } = streams.explain(scanner.word(n, WORD.STREAM), status === 0 ? undefined : status - 1)
  const rate = float(scanner.word(n, WORD.RATE))
  const hasTrace = namesTrace(scanner.text(n, WORD.TRACE) ?? '')
  return {
    why,
    rate,
    kept: (scanner.flags(n) & FLAG.KEPT) !== 0,
    byChance: rate > 0 && rate < 1 && !hasTrace,
  }
}

function meet(services: Map<string, ServiceName>, streams: Streams, stream: number): void {
  for (const { namespace, service_name: service } of streams.fields([stream]))
    services.set(`${namespace}/${service}`, { namespace, service })
}

/** When it counts, every record is emitted with the rate that it was judged by, also one that is not kept. */
function emitOnly(scanner: Scanner, n: number, emit: boolean): void {
  const flags = scanner.flags(n)
  scanner.setWord(n, WORD.FLAGS, emit ? flags | FLAG.KEPT : flags & ~FLAG.KEPT)
  if (scanner.word(n, WORD.RATE) === 0) scanner.setWord(n, WORD.RATE, ONE)
}

const floats = new Float32Array(1)
const words = new Uint32Array(floats.buffer)
floats[0] = 1
const ONE = words[0] as number

function float(word: number): number {
  words[0] = word
  return floats[0] as number
}
