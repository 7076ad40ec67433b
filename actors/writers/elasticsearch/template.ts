// The index template: mappings that take every record, and are searchable where users search.
import { createHash } from 'node:crypto'
import type { Logger } from 'pino'
import type { ElasticsearchOptions } from '../../../protocol/config/backends.js'
import { MillraceError } from '../../../protocol/errors.js'
import type { Answer, ElasticsearchClient } from './client.js'
import { createIndexNames } from './index-name.js'

const keyword = { type: 'keyword', ignore_above: 1024 } as const

/** What was tried against the real server; `dynamic: false` keeps fields that nobody mapped in _source, but out of the index. */
const PROPERTIES = {
  timestamp: { type: 'date', format: 'strict_date_optional_time||epoch_millis' },
  log_level: keyword,
  level: { type: 'alias', path: 'log_level' },
  service_name: keyword,
  pod_uid: keyword,
  namespace: keyword,
  cluster_id: keyword,
  log_type: keyword,
  pod_name: keyword,
  container_name: keyword,
  node_name: keyword,
  stream: keyword,
  source: keyword,
  trace_id: keyword,
  sample_rate: { type: 'float' },
  truncated: { type: 'boolean' },
  message: { type: 'text', norms: false },
  // Without coerce: false 12.7 would be indexed as 12.
  amount_usd: { type: 'long', coerce: false },
  // Flattened: `kubernetes.labels.app` and `kubernetes.labels.app.kubernetes.io/name` cannot conflict.
  kubernetes: {
    type: 'object',
    dynamic: false,
    properties: { labels: { type: 'flattened', ignore_above: 1024, depth_limit: 20 } },
  },
  batch_id: keyword,
  raw: { type: 'text', index: false, norms: false },
} as const

/** Above the templates that the server ships for `logs-*-*` (100), which would turn our indices into data streams. */
const PRIORITY = 500

export function templateName(wildcard: string): string {
  return `millrace-${wildcard.replaceAll('*', '_')}`
}

export function templateBody(
  options: ElasticsearchOptions,
  withIlm: boolean,
): Readonly<Record<string, unknown>> {
  const { wildcard } = createIndexNames(options.index)
  const body = {
    index_patterns: [wildcard],
    priority: PRIORITY,
    ...(options.data_stream ? { data_stream: {} } : {}),
    template: {
      settings: {
        'mapping.ignore_malformed': true,
        codec: 'best_compression',
        refresh_interval: '30s',
        ...(withIlm && options.ilm_policy !== undefined ? { 'lifecycle.name': options.ilm_policy } : {}),
      },
      mappings: {
        dynamic: false,
        date_detection: false,
        properties: {
          ...PROPERTIES,
          ...(options.data_stream ? { '@timestamp': { type: 'date' } } : {}),
          ...options.mappings,
        },
      },
    },
  }
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 16)
  return { ...body, _meta: { managed_by: 'millrace', digest } }
}

/**
 * Installs the template unless the same one is there: with a thousand nodes a PUT at every start would be a storm of cluster state
 * updates. Throws `elasticsearch.template` when the server refuses it, `elasticsearch.unreachable` for anything else.
 */
export async function installTemplate(
  client: ElasticsearchClient,
  options: ElasticsearchOptions,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const withIlm =
    options.ilm_policy !== undefined && (await hasPolicy(client, options.ilm_policy, log, signal))
  const body = templateBody(options, withIlm)
  const path = `/_index_template/${encodeURIComponent(templateName(createIndexNames(options.index).wildcard))}`
  const known = await client.request('GET', path, undefined, signal)
  if (known.status === 200 && digestOf(known) === (body['_meta'] as { digest: string }).digest) return
  if (known.status !== 200 && known.status !== 404) throw refusal('the index template cannot be read', known)
  const answer = await client.request('PUT', path, body, signal)
  if (answer.status >= 300) throw refusal('the index template was refused', answer)
}

/** A server without ILM (the plain distribution) refuses the setting, so it is left out there. */
async function hasPolicy(
  client: ElasticsearchClient,
  policy: string,
  log: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const { status, body } = await client.request(
    'GET',
    `/_ilm/policy/${encodeURIComponent(policy)}`,
    undefined,
    signal,
  )
  if (status === 200) return true
  if (status >= 500 || status === 429 || status === 401)
    throw refusal('the lifecycle policy cannot be read', { status, body })
  // 403: the user may not read policies, which says nothing about whether the server knows the setting.
  const known = status === 403 || body.toString().includes('resource_not_found_exception')
  if (known)
    log.warn({ policy, status }, 'the lifecycle policy was not found; the template names it nevertheless')
  else log.warn({ policy, status }, 'the server has no lifecycle management; ilm_policy is left out')
  return known
}

function digestOf({ body }: Answer): string | undefined {
  try {
    const { index_templates: [first] = [] } = JSON.parse(body.toString()) as {
      index_templates?: { index_template?: { _meta?: { digest?: string } } }[]
    }
    return first?.index_template?._meta?.digest
  } catch {
    return undefined
  }
}

function refusal(what: string, { status, body }: Pick<Answer, 'status' | 'body'>): MillraceError {
  const code =
    status >= 400 && status < 500 && status !== 429 ? 'elasticsearch.template' : 'elasticsearch.unreachable'
  return new MillraceError(code, `${what} (status ${status}): ${causeOf(body)}`)
}

/** The innermost cause is the one that says what to change; the outer ones repeat that something is wrong. */
function causeOf(body: Buffer): string {
  interface Cause {
    readonly reason?: string
    readonly caused_by?: Cause
  }
  let cause: Cause | undefined
  try {
    cause = (JSON.parse(body.toString()) as { error?: Cause }).error
  } catch {
    cause = undefined
  }
  while (cause?.caused_by?.reason !== undefined) cause = cause.caused_by
  return (cause?.reason ?? body.toString()).slice(0, 300)
}
