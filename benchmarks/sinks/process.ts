// Both sinks in a process of their own, so that their CPU is not counted as the pipeline's; ruled by messages from its parent.
import { type Arrivals, createArrivals } from './arrivals.js'
import { elasticsearchProtocol } from './elasticsearch.js'
import { startSink } from './http.js'
import { lokiProtocol } from './loki.js'
import type { SinksAnswer, SinksRequest } from './messages.js'

const es = await startSink(elasticsearchProtocol())
const loki = await startSink(lokiProtocol())
const NONE = new Float64Array(0)
let watched: { es: Arrivals; loki: Arrivals } | undefined

process.on('message', (request: SinksRequest) => tell(request.id, answerTo(request)))
process.on('disconnect', () => process.exit(0))
tell(0, { type: 'listening', es: es.url, loki: loki.url })

function answerTo(request: SinksRequest): SinksAnswer {
  switch (request.type) {
    case 'stats': {
      const { user, system } = process.cpuUsage()
      return { type: 'stats', es: { ...es.stats }, loki: { ...loki.stats }, cpuUs: user + system }
    }
    case 'reset':
      es.reset()
      loki.reset()
      return { type: 'done' }
    case 'limit':
      es.limit(request.limit)
      loki.limit(request.limit)
      return { type: 'done' }
    case 'watch':
      watched = {
        es: createArrivals(request.records, request.mark),
        loki: createArrivals(request.records, request.mark),
      }
      es.watch(watched.es)
      loki.watch(watched.loki)
      return { type: 'done' }
    case 'take': {
      const times = { es: watched?.es.times ?? NONE, loki: watched?.loki.times ?? NONE }
      const again = (watched?.es.again() ?? 0) + (watched?.loki.again() ?? 0)
      const marks = { es: watched?.es.marks() ?? 0, loki: watched?.loki.marks() ?? 0 }
      es.watch(undefined)
      loki.watch(undefined)
      watched = undefined
      return { type: 'arrivals', ...times, again, marks }
    }
  }
}

function tell(id: number, answer: SinksAnswer): void {
  process.send?.({ id, ...answer })
}
