// The index template: installed once, not again at every start, and without what the server does not know.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import type { ElasticsearchClient } from '../../actors/writers/elasticsearch/client.js'
import { installTemplate } from '../../actors/writers/elasticsearch/template.js'
import { elasticsearchBackend } from '../../protocol/config/backends.js'

const log = pino({ enabled: false })
const signal = new AbortController().signal

/** Plays the server: answers by method and path, keeps what was put. */
function server(ilm: { readonly status: number; readonly text: string }) {
  const put: Record<string, unknown>[] = []
  const answer = (status: number, text: string) => ({
    status,
    retryAfter: undefined,
    body: Buffer.from(text),
  })
  const client: ElasticsearchClient = {
    bulk: () => Promise.reject(new Error('not asked here')),
    request(method, path, body) {
      if (path.startsWith('/_ilm/')) return Promise.resolve(answer(ilm.status, ilm.text))
      if (method === 'PUT') put.push(body as Record<string, unknown>)
      const known = put.at(-1)
      if (known === undefined) return Promise.resolve(answer(404, '{}'))
      return Promise.resolve(answer(200, JSON.stringify({ index_templates: [{ index_template: known }] })))
    },
    close: () => Promise.resolve(),
  }
  return { client, put }
}

function optionsOf(more: Readonly<Record<string, unknown>>) {
  return elasticsearchBackend.parse({ type: 'elasticsearch', url: 'http://127.0.0.1:9200', ...more })
}

test('a thousand nodes that start do not each change the cluster state', async () => {
  const { client, put } = server({ status: 200, text: '{}' })
  for (let node = 0; node < 3; node++) await installTemplate(client, optionsOf({}), log, signal)
  assert.equal(put.length, 1)
  await installTemplate(client, optionsOf({ mappings: { user_id: { type: 'keyword' } } }), log, signal)
  assert.equal(put.length, 2)
  const template = put[1]?.['template'] as { mappings: { properties: Record<string, unknown> } } | undefined
  assert.ok(template !== undefined)
  const { properties } = template.mappings
  assert.deepEqual(properties['user_id'], { type: 'keyword' })
  assert.deepEqual(properties['level'], { type: 'alias', path: 'log_level' })
  assert.deepEqual(put[1]?.['index_patterns'], ['logs-*-*-*'])
})

test('a lifecycle policy is named where the server has lifecycles, and left out where it has none', async () => {
  const cases = [
    [{ status: 200, text: '{}' }, 'days'],
    [{ status: 404, text: '{"error":{"type":"resource_not_found_exception"}}' }, 'days'],
    [{ status: 403, text: '{}' }, 'days'],
    [{ status: 400, text: '{"error":"no handler found for uri [/_ilm/policy/days]"}' }, undefined],
  ] as const
  for (const [ilm, expected] of cases) {
    const { client, put } = server(ilm)
    await installTemplate(client, optionsOf({ ilm_policy: 'days' }), log, signal)
    const template = put[0]?.['template'] as { settings: Record<string, unknown> } | undefined
    assert.ok(template !== undefined)
    assert.equal(template.settings['lifecycle.name'], expected)
  }
  const { client } = server({ status: 503, text: '' })
  await assert.rejects(installTemplate(client, optionsOf({ ilm_policy: 'days' }), log, signal), {
    code: 'elasticsearch.unreachable',
  })
})
