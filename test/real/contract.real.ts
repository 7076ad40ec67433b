// The real servers keep the contract, so that the stand-ins that keep it too can be believed.
import { elasticsearchContract } from '../contract/elasticsearch.js'
import { lokiContract } from '../contract/loki.js'
import { serverUrl } from './servers/settings.js'

elasticsearchContract('Elasticsearch', () => serverUrl('es'))
lokiContract('Loki', () => serverUrl('loki'))
