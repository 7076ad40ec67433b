// What an Elasticsearch must do for Millrace to be right about it: the same tests for the stand-in and the real server.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  esBatchCounts,
  esCount,
  esDeleteIndices,
  esMissing,
  esRefresh,
  esSource,
  withEs,
} from '../real/servers/es-query.js'
import { refusedDocuments, takenDocuments, template } from './elasticsearch-shapes.js'

type Answer = { readonly status: number; readonly text: string; readonly headers: Headers }
type Suite = {
  readonly url: () => string
  readonly prefix: string
  call(
    method: string,
    path: string,
    body?: string | Uint8Array,
    headers?: Record<string, string>,
  ): Promise<Answer>
  bulk(index: string, documents: readonly (readonly [id: string, source: string])[]): Promise<number[]>
}

const ndjson = { 'content-type': 'application/x-ndjson' }
const lines = (documents: readonly (readonly [string, string])[]): string =>
  documents.map(([id, source]) => `{"create":{"_id":"${id}"}}\n${source}\n`).join('')

function createSuite(url: () => string): Suite {
  const call: Suite['call'] = async (
    method,
    path,
    body,
    headers = { 'content-type': 'application/json' },
  ) => {
    const sent =
      body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body), headers }
    const response = await fetch(`${url()}${path}`, { method, ...sent })
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
  return {
    url,
    prefix: `contract-${randomBytes(6).toString('hex')}`,
    call,
    async bulk(index, documents) {
      const operations = documents.flatMap(([_id, source]) => [{ create: { _id } }, source])
      const { items } = await withEs(url(), (client) => client.bulk({ index, operations }))
      return items.map(({ create }) => create?.status ?? 0)
    },
  }
}

export function elasticsearchContract(name: string, url: () => string): void {
  const suite = createSuite(url)
  describe(name, () => {
    after(async () => {
      await esDeleteIndices(url(), `${suite.prefix}*`)
      await suite.call('DELETE', `/_index_template/${suite.prefix}`)
    })
    describe('bulk', () => bulkTests(suite))
    describe('shapes', () => shapeTests(suite))
    describe('reading', () => readingTests(suite))
    describe('indices', () => indexTests(suite))
  })
}

function bulkTests(suite: Suite): void {
  const index = `${suite.prefix}-bulk`

  test('a retried bulk does not create a document twice', async () => {
    assert.deepEqual(
      await suite.bulk(index, [
        ['r-1', '{"n":1}'],
        ['r-2', '{"n":2}'],
      ]),
      [201, 201],
    )
    assert.deepEqual(
      await suite.bulk(index, [
        ['r-2', '{"n":9}'],
        ['r-3', '{"n":3}'],
      ]),
      [409, 201],
    )
    assert.equal(String(await esSource(suite.url(), index, 'r-2')), '{"n":2}')
  })

  test('an answer cut down to its statuses has a fixed form, so that missing items show', async () => {
    const path = `/${index}/_bulk?filter_path=errors,items.*.status`
    const documents = [
      ['f-1', '{"n":1}'],
      ['f-2', '{"n":2}'],
    ] as const
    const { text, headers } = await suite.call('POST', path, lines(documents), ndjson)
    assert.equal(text, '{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}')
    assert.equal(headers.get('x-elastic-product'), 'Elasticsearch')
    const again = await suite.call('POST', path, lines(documents), ndjson)
    assert.equal(again.text, '{"errors":true,"items":[{"create":{"status":409}},{"create":{"status":409}}]}')
  })

  test('a bulk that ends after an action line answers fewer items without an error', async () => {
    const body = `${lines([['s-1', '{"n":1}']])}{"create":{"_id":"s-2"}}\n`
    const { status, text } = await suite.call('POST', `/${index}/_bulk`, body, ndjson)
    const answer = JSON.parse(text) as { errors: boolean; items: unknown[] }
    assert.deepEqual([status, answer.errors, answer.items.length], [200, false, 1])
  })

  test('a bulk that is no bulk is refused whole', async () => {
    const send = async (body: string, path = `/${index}/_bulk`) => {
      const { status, text } = await suite.call('POST', path, body, ndjson)
      return `${status} ${text}`
    }
    assert.match(await send('{"create":{"_id":"w-1"}}\n{"n":1}'), /^400 .*must be terminated by a newline/)
    assert.match(await send('{"make":{"_id":"w-1"}}\n{"n":1}\n'), /^400 .*but found \[make\]/)
    assert.match(await send('{"create":{"_id":"w-1"}}\n{"n":1}\n', '/_bulk'), /^400 .*index is missing/)
    assert.match(await send('{"create":{"_id":"w-1"}}\n'), /^400 .*no requests added/)
    assert.deepEqual(await esMissing(suite.url(), index, ['w-1']), ['w-1'])
  })

  test('a gzipped bulk is taken, and its answer comes gzipped', async () => {
    const headers = { ...ndjson, 'content-encoding': 'gzip', 'accept-encoding': 'gzip' }
    const answer = await suite.call('POST', `/${index}/_bulk`, gzipSync(lines([['z-1', '{"n":1}']])), headers)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-encoding'), 'gzip')
    assert.deepEqual(await esMissing(suite.url(), index, ['z-1', 'z-2']), ['z-2'])
  })

  test('an index named in the action line wins over a missing one in the path', async () => {
    const body = `{"create":{"_index":"${index}","_id":"a-1"}}\n{"n":1}\n`
    const { text } = await suite.call('POST', '/_bulk', body, ndjson)
    assert.equal((JSON.parse(text) as { errors: boolean }).errors, false)
    assert.deepEqual(await esMissing(suite.url(), index, ['a-1']), [])
  })
}

function shapeTests(suite: Suite): void {
  const index = `${suite.prefix}-shapes`

  test('a template that was written is in force for the next index', async () => {
    const body = JSON.stringify(template(`${suite.prefix}-shapes*`))
    assert.equal((await suite.call('PUT', `/_index_template/${suite.prefix}`, body)).status, 200)
    const { text } = await suite.call('GET', `/_index_template/${suite.prefix}`)
    type Templates = { index_templates: { name: string; index_template: { index_patterns: string[] } }[] }
    const [found] = (JSON.parse(text) as Templates).index_templates
    assert.deepEqual(
      [found?.name, found?.index_template.index_patterns],
      [suite.prefix, [`${suite.prefix}-shapes*`]],
    )
    assert.equal((await suite.call('GET', `/_index_template/${suite.prefix}-none`)).status, 404)
  })

  test('a document refused for its shape does not take its neighbours with it', async () => {
    const mixed = refusedDocuments.flatMap((source, number) => [
      [`bad-${number}`, source] as const,
      [`good-${number}`, '{"message":"fine"}'] as const,
    ])
    const statuses = await suite.bulk(index, mixed)
    for (const [position, [id, source]] of mixed.entries()) {
      assert.equal(statuses[position], id.startsWith('bad') ? 400 : 201, source)
    }
  })

  test('an odd document that is no error is not refused', async () => {
    const statuses = await suite.bulk(
      index,
      takenDocuments.map((source, number) => [`odd-${number}`, source]),
    )
    for (const [position, status] of statuses.entries()) assert.equal(status, 201, takenDocuments[position])
  })

  test('dotted keys that conflict with scalars are refused under a dynamic mapping', async () => {
    const documents = [
      ['d-1', '{"k.l.app":"a"}'],
      ['d-2', '{"k.l.app.kubernetes.io/name":"b"}'],
      ['d-3', '{"k":{"l":"c"}}'],
    ] as const
    assert.deepEqual(await suite.bulk(`${suite.prefix}-dynamic`, documents), [201, 400, 400])
  })

  test('an alias finds what its target holds, and an unmapped field finds nothing', async () => {
    const sources = [
      ['q-1', '{"log_level":"QQ","other":"x"}'],
      ['q-2', '{"log_level":"RR"}'],
    ] as const
    await suite.bulk(index, sources)
    await esRefresh(suite.url(), index)
    assert.equal(await esCount(suite.url(), index, { term: { level: 'QQ' } }), 1)
    assert.equal(await esCount(suite.url(), index, { term: { other: 'x' } }), 0)
    assert.equal(await esCount(suite.url(), index, { terms: { log_level: ['QQ', 'RR', 'SS'] } }), 2)
  })
}

function readingTests(suite: Suite): void {
  const index = `${suite.prefix}-shapes-read`

  test('a source comes back byte for byte', async () => {
    const source = '{ "message":"gr\\u00fcn 😀 \\/", "n":1.50e+3 ,"unmapped": [ ] }'
    await suite.bulk(index, [['b-1', source]])
    assert.equal(String(await esSource(suite.url(), index, 'b-1')), source)
    const many = await suite.call('POST', `/${index}/_mget`, '{"ids":["b-1"]}')
    assert.ok(many.text.includes(`"_source":${source}`))
    await esRefresh(suite.url(), index)
    const query = '{"query":{"terms":{"_id":["b-1","none"]}}}'
    const found = await suite.call('POST', `/${index}/_search`, query)
    assert.ok(found.text.includes(`"_source":${source}`))
  })

  test('a missing id is told before any refresh', async () => {
    await suite.bulk(index, [['m-1', '{"message":"a"}']])
    assert.deepEqual(await esMissing(suite.url(), index, ['m-0', 'm-1', 'm-2']), ['m-0', 'm-2'])
    assert.equal((await suite.call('GET', `/${index}/_doc/m-1`)).status, 200)
    assert.equal((await suite.call('GET', `/${index}/_doc/m-0`)).status, 404)
    assert.equal(await esSource(suite.url(), index, 'm-0'), undefined)
  })

  test('a count by batch is exact, and says so where it left a batch out', async () => {
    const documents = ['A', 'A', 'A', 'B', 'B', 'C'].map(
      (batch, number) => [`t-${number}`, `{"batch_id":"${batch}"}`] as const,
    )
    await suite.bulk(index, documents)
    await esRefresh(suite.url(), index)
    const counts = await esBatchCounts(suite.url(), index, ['A', 'B', 'none'])
    assert.deepEqual(Object.fromEntries(counts), { A: 3, B: 2 })
    const query = '{"size":0,"aggs":{"b":{"terms":{"field":"batch_id","size":1}}}}'
    const { text } = await suite.call('POST', `/${index}/_search?filter_path=aggregations`, query)
    assert.deepEqual(JSON.parse(text), {
      aggregations: {
        b: { doc_count_error_upper_bound: 0, sum_other_doc_count: 3, buckets: [{ key: 'A', doc_count: 3 }] },
      },
    })
  })

  test('grouping by a text field is refused, as without the template', async () => {
    const { status } = await suite.call(
      'POST',
      `/${index}/_search`,
      '{"aggs":{"b":{"terms":{"field":"message"}}}}',
    )
    assert.equal(status, 400)
  })
}

function indexTests(suite: Suite): void {
  test('an index that does not exist is told from an empty one', async () => {
    const name = `${suite.prefix}-empty`
    assert.equal((await suite.call('PUT', `/${name}`)).status, 200)
    assert.equal((await suite.call('PUT', `/${name}`)).status, 400)
    assert.match((await suite.call('GET', `/${name}/_count`)).text, /"count":0/)
    assert.equal((await suite.call('GET', `/${name}-none/_count`)).status, 404)
    assert.match((await suite.call('GET', `/${name}-none*/_count`)).text, /"count":0/)
  })

  test('a search that may pass over indices finds what is in the others, and says so where there are none', async () => {
    const name = `${suite.prefix}-some`
    const keyword = '{"mappings":{"properties":{"batch_id":{"type":"keyword"}}}}'
    assert.equal((await suite.call('PUT', `/${name}`, keyword)).status, 200)
    await suite.bulk(name, [['s-1', '{"batch_id":"S"}']])
    await esRefresh(suite.url(), name)
    const query = '{"size":1,"aggs":{"b":{"terms":{"field":"batch_id"}}}}'
    const parameters =
      'ignore_unavailable=true&allow_no_indices=true&filter_path=timed_out,_shards.failed,hits.hits._id'
    const search = async (indices: string, paths = '') =>
      JSON.parse(
        (await suite.call('POST', `/${indices}/_search?${parameters}${paths}`, query)).text,
      ) as unknown
    const whole = { timed_out: false, _shards: { failed: 0 } }
    assert.deepEqual(await search(`${name},${name}-none`), { ...whole, hits: { hits: [{ _id: 's-1' }] } })
    assert.deepEqual(await search(`${name}-none`, ',aggregations'), whole)
  })

  test('deleting by a wildcard is refused', async () => {
    assert.equal((await suite.call('DELETE', `/${suite.prefix}-none*`)).status, 400)
    assert.equal((await suite.call('DELETE', `/${suite.prefix}-none`)).status, 404)
  })

  test('a query that cannot be read is the client error it is', async () => {
    assert.equal((await suite.call('POST', '/_search', '{bad')).status, 400)
    assert.equal((await suite.call('POST', '/_search', '{"query":{"nonsense":{}}}')).status, 400)
  })

  test('the cluster says how it is', async () => {
    const { status, text } = await suite.call('GET', '/_cluster/health')
    assert.equal(status, 200)
    assert.match((JSON.parse(text) as { status: string }).status, /^(green|yellow)$/)
  })
}
