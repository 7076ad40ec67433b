// Two acknowledging sinks in a process of their own, so that their CPU is not counted as the pipeline's.
import { startElasticsearchStandIn } from '../test/stand-ins/elasticsearch.js'
import { startLokiStandIn } from '../test/stand-ins/loki.js'

const es = await startElasticsearchStandIn({ store: 'count' })
const loki = await startLokiStandIn({ store: 'count' })
process.stdout.write(`${JSON.stringify({ es: es.url, loki: loki.url })}\n`)
process.on('SIGTERM', () => void Promise.all([es.close(), loki.close()]).then(() => process.exit(0)))
