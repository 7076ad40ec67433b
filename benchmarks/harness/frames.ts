// Sealed frames of realistic records, as the ingest thread hands them to the journal.
import { SEQ_FROM } from '../generate/block.js'
import { seededRandom } from '../generate/random.js'
import { makeFrame, frameId, type TestFrame, type TestRecord } from '../../test/writers/frames.js'

const SERVICES = ['payment-api', 'cart', 'checkout', 'search']
const LEVELS = ['INFO', 'INFO', 'INFO', 'DEBUG', 'WARN', 'ERROR']

/** A frame of `records` records of about 490 bytes each, a microsecond apart and ending now. `number` makes its id. */
export function benchFrame(number: number, records: number): TestFrame {
  const random = seededRandom(number + 1)
  const endNs = BigInt(Date.now()) * 1_000_000n
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('')
  const all = Array.from({ length: records }, (_, n): TestRecord => {
    const amount = Math.floor(random() * 100_000)
    return {
      tsNs: endNs - BigInt(records - n) * 1000n,
      level: LEVELS[Math.floor(random() * LEVELS.length)] as string,
      service: SERVICES[n % SERVICES.length] as string,
      message: 'request handled',
      traceId: hex(32),
      more: `,"seq":${SEQ_FROM + n},"span_id":"${hex(16)}","http":{"method":"POST","path":"/v1/orders/${amount}","status":200},"latency_ms":${amount / 100},"amount_usd":${amount},"user_agent":"Mozilla/5.0 (X11)"`,
    }
  })
  return makeFrame(frameId(number), all)
}
