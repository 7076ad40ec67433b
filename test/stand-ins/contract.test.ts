// The stand-ins keep the contract that the real servers are held to.
import { after, before } from 'node:test'
import { elasticsearchContract } from '../contract/elasticsearch.js'
import { lokiContract } from '../contract/loki.js'
import { type ElasticsearchStandIn, startElasticsearchStandIn } from './elasticsearch.js'
import { type LokiStandIn, startLokiStandIn } from './loki.js'

let elasticsearch: ElasticsearchStandIn | undefined
let loki: LokiStandIn | undefined

before(async () => {
  elasticsearch = await startElasticsearchStandIn()
  loki = await startLokiStandIn()
})
after(() => Promise.all([elasticsearch?.close(), loki?.close()]))

elasticsearchContract('the Elasticsearch stand-in', () => elasticsearch?.url ?? '')
lokiContract('the Loki stand-in', () => loki?.url ?? '')
