// The options of every backend type, and of what is wrapped around all of them.
import { z } from 'zod'
import { duration, path, secret, size } from './values.js'

const serverUrl = (example: string) =>
  z
    .url({ protocol: /^https?$/, error: `expected a URL such as ${example}` })
    .describe('Address of the server')

const delivery = {
  batch_bytes: size('1MiB', { min: '1KiB', max: '15MiB' }).describe(
    'A batch is sent when it has grown to this',
  ),
  batch_age_max: duration('1s', { min: '1ms', max: '5m' }).describe(
    'A batch is sent when its first record is this old',
  ),
  timeout: duration('30s', { min: '10ms', max: '10m' }).describe('Longest wait for one answer'),
  concurrency_max: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Upper end of the adaptive concurrency'),
  retry: z
    .strictObject({
      initial: duration('200ms', { min: '1ms' }).describe('First wait; doubles with full jitter'),
      max: duration('30s', { min: '1ms', max: '10m' }).describe('Longest wait between two tries'),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      window: duration('10s', { min: '10ms' }).describe('Time over which failures are counted'),
      failed_share: z
        .number()
        .min(0)
        .max(1)
        .default(0.6)
        .describe('Share of failed requests that opens the breaker'),
      requests_min: z
        .number()
        .int()
        .positive()
        .default(5)
        .describe('Requests in the window below which it stays closed'),
      open: duration('30s', { min: '1ms' }).describe('How long it stays open before a probe'),
    })
    .prefault({}),
  memory_bytes: size('16MiB', { min: '1MiB', max: '1GiB' }).describe(
    'Frames taken from the journal and not yet acknowledged',
  ),
  backfill_bytes_per_second: size('32MiB', { min: '1KiB' }).describe(
    'Rate at which a gap is filled behind live records',
  ),
}

const credentials = {
  username: z.string().min(1).optional().describe('User of basic authentication'),
  password: secret().optional().describe('Its password; better from `${VAR}` or `password_file`'),
  password_file: path().optional().describe('File that holds the password'),
  ca_file: path().optional().describe('PEM file of the certificate authority'),
  tls_verify: z.boolean().default(true).describe("Check the server's certificate"),
}

export const elasticsearchBackend = z.strictObject({
  type: z.literal('elasticsearch'),
  url: serverUrl('http://127.0.0.1:9200'),
  ...credentials,
  api_key: secret().optional().describe('API key as Elasticsearch encodes it'),
  api_key_file: path().optional().describe('File that holds the API key'),
  index: z
    .string()
    .min(1)
    .default('logs-%Y-%m-%d')
    .describe('Index name by the UTC time of the record: `%Y %m %d %H`'),
  data_stream: z.boolean().default(false).describe('The index name is a data stream'),
  template: z.boolean().default(true).describe('Install the index template at start'),
  mappings: z.record(z.string(), z.unknown()).default({}).describe('Extra properties for the index template'),
  ilm_policy: z.string().optional().describe('Lifecycle policy named in the template'),
  routing: z
    .enum(['none', 'service_name', 'namespace'])
    .default('none')
    .describe('Route documents to shards by a hash of this field'),
  gzip: z.boolean().default(false).describe('Compress requests (for slow networks)'),
  ...delivery,
  batch_bytes: size('4MiB', { min: '1KiB', max: '15MiB' }).describe(
    'A bulk is sent when it has grown to this',
  ),
  concurrency_max: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe('Upper end of the adaptive concurrency'),
})

export const lokiBackend = z.strictObject({
  type: z.literal('loki'),
  url: serverUrl('http://127.0.0.1:3100'),
  ...credentials,
  bearer_token_file: path().optional().describe('File that holds a bearer token'),
  tenant: z.string().min(1).optional().describe('Sent as `X-Scope-OrgID`'),
  labels: z
    .array(z.string())
    .min(1)
    .max(15)
    .default(['service_name', 'namespace', 'cluster_id', 'log_level', 'log_type'])
    .describe('Stream labels: stream-wide fields, or `kubernetes.labels.<key>`'),
  lanes: z
    .number()
    .int()
    .min(1)
    .max(64)
    .default(16)
    .describe('Streams are spread over lanes by a hash of labels and tenant'),
  line_bytes_max: size('256KiB', { min: '1KiB' }).describe(
    "The server's limit of one line; longer lines are cut by the node before",
  ),
  streams_max: z.number().int().positive().default(5000).describe('Streams open at once'),
  ...delivery,
  batch_bytes: size('3MiB', { min: '1KiB', max: '15MiB' }).describe(
    'A push is sent when it has grown to this, or to 3 MiB: Loki refuses what comes to over 4 MiB',
  ),
})

export const archiveBackend = z.strictObject({
  type: z.literal('archive'),
  path: path().describe('Folder of gzip NDJSON files by hour'),
  compression_level: z.number().int().min(1).max(9).default(4).describe('gzip level, 1 (fast) to 9 (small)'),
  retention: duration('0s').describe('Files older than this are deleted; 0s keeps all'),
  ...delivery,
})

export const backend = z.discriminatedUnion('type', [elasticsearchBackend, lokiBackend, archiveBackend])

export type DeliveryOptions = Pick<z.output<typeof archiveBackend>, keyof typeof delivery>
export type ElasticsearchOptions = z.output<typeof elasticsearchBackend>
export type LokiOptions = z.output<typeof lokiBackend>
export type ArchiveOptions = z.output<typeof archiveBackend>
export type BackendOptions = z.output<typeof backend>
