// What a Loki must do for Millrace to be right about it: the same tests for the stand-in and the real server.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { lokiCount, lokiInstant, lokiLines } from '../real/servers/loki-query.js'
import { encodePush, type Entry, type StreamOf } from './push-encode.js'

const second = 1_000_000_000n
const hour = 3_600n * second

type Sandbox = {
  readonly url: string
  /** This test's own stream, so that tests do not see each other. */
  readonly labels: Readonly<Record<string, string>>
  readonly selector: string
  readonly nowNs: bigint
  push(...streams: StreamOf[]): Promise<{ status: number; message: string }>
  pushEntries(...entries: Entry[]): Promise<{ status: number; message: string }>
  lines(filter?: string): Promise<string[]>
}

function sandbox(url: string): Sandbox {
  const run = randomBytes(8).toString('hex')
  const labels = { run, service_name: 'contract' }
  const nowNs = BigInt(Date.now()) * 1_000_000n
  const push = async (...streams: StreamOf[]) => {
    const response = await fetch(`${url}/loki/api/v1/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(encodePush(streams)),
    })
    return { status: response.status, message: await response.text() }
  }
  const span = { fromNs: nowNs - 6n * hour, toNs: nowNs + hour }
  return {
    url,
    labels,
    selector: `{run="${run}"}`,
    nowNs,
    push,
    pushEntries: (...entries) => push({ labels, entries }),
    lines: async (filter = '') =>
      (await lokiLines(url, `{run="${run}"}${filter}`, span)).map(({ line }) => line),
  }
}

const entry = (timestampNs: bigint, line: string, rid = 'B-1'): Entry => ({
  timestampNs,
  line,
  metadata: { batch_id: rid.slice(0, rid.lastIndexOf('-')), rid },
})

export function lokiContract(name: string, url: () => string): void {
  describe(`${name}: writing`, () => writing(url))
  describe(`${name}: refusing`, () => refusing(url))
  describe(`${name}: reading`, () => reading(url))
}

function writing(url: () => string): void {
  test('a line comes back byte for byte with its metadata', async () => {
    const box = sandbox(url())
    const line = '{"message":"grün \\u0000 \\"q\\" 😀 \ufffd","n":1.50}'
    assert.equal((await box.pushEntries(entry(box.nowNs, line, 'B-7'))).status, 204)
    const [found] = await lokiLines(url(), box.selector, { fromNs: box.nowNs, toNs: box.nowNs })
    assert.equal(found?.line, line)
    assert.equal(found?.metadata['rid'], 'B-7')
    assert.equal(found?.metadata['batch_id'], 'B')
    assert.deepEqual(found?.labels, box.labels)
  })

  test('a retried push counts once', async () => {
    const box = sandbox(url())
    const entries = [entry(box.nowNs, 'one', 'B-1'), entry(box.nowNs + 1n, 'two', 'B-2')]
    await box.pushEntries(...entries)
    assert.equal((await box.pushEntries(...entries)).status, 204)
    const counts = await lokiCount(url(), box.selector, { fromNs: box.nowNs, toNs: box.nowNs + second })
    assert.deepEqual([...counts], [['B', 2]])
    assert.deepEqual(await box.lines(), ['one', 'two'])
  })

  test('two records with equal lines stay two', async () => {
    const box = sandbox(url())
    await box.pushEntries(entry(box.nowNs, 'same', 'B-1'), entry(box.nowNs, 'same', 'B-2'))
    const counts = await lokiCount(url(), box.selector, { fromNs: box.nowNs, toNs: box.nowNs })
    assert.deepEqual([...counts], [['B', 2]])
  })

  test('a metadata name with dots is found only by its rewritten form', async () => {
    const box = sandbox(url())
    await box.pushEntries({
      timestampNs: box.nowNs,
      line: 'x',
      metadata: { 'kubernetes.labels.app': 'cart' },
    })
    assert.deepEqual(await box.lines(' | kubernetes_labels_app="cart"'), ['x'])
  })

  test('a large push with long repeats is unpacked whole', async () => {
    const box = sandbox(url())
    const lines = Array.from({ length: 3000 }, (_, index) => `${'abcdefg '.repeat(index % 90)}${index}`)
    const entries = lines.map((line, index) => entry(box.nowNs + BigInt(index), line, `B-${index}`))
    assert.equal((await box.pushEntries(...entries)).status, 204)
    assert.deepEqual(await box.lines(), lines)
  })
}

function refusing(url: () => string): void {
  test('a line over the limit does not take its neighbours with it', async () => {
    const box = sandbox(url())
    const long = 'x'.repeat(262_145)
    const answer = await box.pushEntries(
      entry(box.nowNs, 'a'),
      entry(box.nowNs + 1n, long),
      entry(box.nowNs + 2n, 'c'),
    )
    assert.equal(answer.status, 400)
    assert.match(answer.message, /max entry size '262144' bytes exceeded .* length '262145'/)
    assert.deepEqual(await box.lines(), ['a', 'c'])
  })

  test('a line of exactly the limit is taken', async () => {
    const box = sandbox(url())
    assert.equal((await box.pushEntries(entry(box.nowNs, 'x'.repeat(262_144)))).status, 204)
  })

  test('an entry older than a week or too far ahead is refused', async () => {
    const box = sandbox(url())
    const old = await box.pushEntries(entry(box.nowNs - 169n * hour, 'old'))
    assert.equal(old.status, 400)
    assert.match(old.message, /timestamp too old/)
    const ahead = await box.pushEntries(entry(box.nowNs + 660n * second, 'ahead'))
    assert.equal(ahead.status, 400)
    assert.match(ahead.message, /timestamp too new/)
    assert.deepEqual(await box.lines(), [])
  })

  test('an entry more than an hour behind its stream is refused, one of exactly an hour is not', async () => {
    const box = sandbox(url())
    await box.pushEntries(entry(box.nowNs, 'newest'))
    assert.equal((await box.pushEntries(entry(box.nowNs - hour, 'edge'))).status, 204)
    const late = await box.pushEntries(entry(box.nowNs - hour - 1n, 'late'))
    assert.equal(late.status, 400)
    assert.match(late.message, /entry too far behind/)
    assert.deepEqual(await box.lines(), ['edge', 'newest'])
  })

  test('a 204 hides what an earlier stream of the push lost', async () => {
    const box = sandbox(url())
    await box.pushEntries(entry(box.nowNs, 'newest'))
    const late = { labels: box.labels, entries: [entry(box.nowNs - 2n * hour, 'late')] }
    const good = { labels: { ...box.labels, side: 'good' }, entries: [entry(box.nowNs, 'good')] }
    assert.equal((await box.push(late, good)).status, 204)
    assert.equal((await box.push(good, late)).status, 400)
    assert.deepEqual((await box.lines()).sort(), ['good', 'newest'])
  })

  test('a push above 4 MiB fails for ever and leaves nothing behind', async () => {
    const box = sandbox(url())
    const entries = Array.from({ length: 20 }, (_, index) =>
      entry(box.nowNs + BigInt(index), 'y'.repeat(250_000)),
    )
    assert.equal((await box.pushEntries(...entries)).status, 500)
    assert.deepEqual(await box.lines(), [])
  })

  test('too many labels, a label value too long and a bad label name are refused', async () => {
    const box = sandbox(url())
    const entries = [entry(box.nowNs, 'x')]
    const many = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`l${index}`, 'v']))
    assert.match((await box.push({ labels: many, entries })).message, /16 label names; limit 15/)
    const long = { ...box.labels, l: 'v'.repeat(2049) }
    assert.match((await box.push({ labels: long, entries })).message, /label value too long/)
    assert.match((await box.push({ labels: '{a-b="v"}', entries })).message, /parse/)
  })

  test('too much metadata is refused', async () => {
    const box = sandbox(url())
    const large = await box.pushEntries({
      timestampNs: box.nowNs,
      line: 'x',
      metadata: { m: 'v'.repeat(65_536) },
    })
    assert.equal(large.status, 400)
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`m${index}`, 'v']))
    assert.equal((await box.pushEntries({ timestampNs: box.nowNs, line: 'x', metadata: many })).status, 400)
  })

  test('an empty push and a body that is no push are refused', async () => {
    const box = sandbox(url())
    assert.equal((await box.push()).status, 422)
    const send = async (bytes: number[]) => {
      const response = await fetch(`${url()}/loki/api/v1/push`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(bytes),
      })
      return `${response.status} ${await response.text()}`
    }
    assert.match(await send([0xff, 0xff, 0xff]), /^400 snappy: corrupt input/)
    assert.match(await send([3, 8, 0x61, 0x62, 0x63]), /^400 unexpected EOF/)
  })
}

function reading(url: () => string): void {
  test('a range query that ends at an entry does not see it, one that starts there does', async () => {
    const box = sandbox(url())
    await box.pushEntries(entry(box.nowNs, 'x'))
    const count = async (start: bigint, end: bigint) => {
      const parameters = { query: box.selector, start: String(start), end: String(end) }
      const response = await fetch(
        `${url()}/loki/api/v1/query_range?${String(new URLSearchParams(parameters))}`,
      )
      return ((await response.json()) as { data: { result: unknown[] } }).data.result.length
    }
    assert.equal(await count(box.nowNs - second, box.nowNs), 0)
    assert.equal(await count(box.nowNs, box.nowNs + second), 1)
  })

  test('a range [R] at T counts an entry at T and not one at T-R', async () => {
    const box = sandbox(url())
    await box.pushEntries(entry(box.nowNs, 'x'))
    const query = `sum(count_over_time(${box.selector}[10s]))`
    assert.deepEqual(await lokiInstant(url(), query, box.nowNs), [{ labels: {}, value: 1 }])
    assert.deepEqual(await lokiInstant(url(), query, box.nowNs + 10n * second), [])
  })

  test('counts by batch leave out no batch and mix none', async () => {
    const box = sandbox(url())
    const rids = ['A-1', 'A-2', 'A-3', 'AB-1', 'AB-2', 'C-1']
    await box.pushEntries(...rids.map((rid, index) => entry(box.nowNs + BigInt(index), rid, rid)))
    const at = box.nowNs + second
    const by = async (filter: string, tail = '') => {
      const query = `sum by (batch_id) (count_over_time(${box.selector}${filter}[1m]))${tail}`
      const samples = await lokiInstant(url(), query, at)
      return samples.map(({ labels, value }) => `${labels['batch_id']}=${value}`).sort()
    }
    assert.deepEqual(await by(''), ['A=3', 'AB=2', 'C=1'])
    assert.deepEqual(await by(' | batch_id="A" '), ['A=3'])
    assert.deepEqual(await by(' | batch_id=~"A.*" '), ['A=3', 'AB=2'])
    assert.deepEqual(await by(' | batch_id=~"A" '), ['A=3'])
    assert.deepEqual(await by(' | batch_id="A" or batch_id="C" '), ['A=3', 'C=1'])
    assert.deepEqual(await by(' | batch_id!="A" |= "C" '), ['C=1'])
    assert.deepEqual(await by('', ' != 3'), ['AB=2', 'C=1'])
    const counts = await lokiCount(url(), box.selector, { fromNs: box.nowNs, toNs: at }, 'AB')
    assert.deepEqual([...counts], [['AB', 2]])
  })

  test('a selector that could match everything, a log query at an instant and too high a limit are refused', async () => {
    const box = sandbox(url())
    const status = async (path: string, parameters: Record<string, string>) =>
      (await fetch(`${url()}/loki/api/v1/${path}?${String(new URLSearchParams(parameters))}`)).status
    assert.equal(await status('query_range', { query: '{run=~".*"}' }), 400)
    assert.equal(await status('query', { query: box.selector }), 400)
    assert.equal(await status('query_range', { query: box.selector, limit: '5001' }), 400)
    assert.equal(await status('query', { query: 'sum(' }), 400)
    assert.equal(await status('query', { query: `sum(count_over_time(${box.selector}[5000000ns]))` }), 400)
  })

  test('a label that was pushed is listed with its values', async () => {
    const box = sandbox(url())
    await box.pushEntries(entry(box.nowNs, 'x'))
    const list = async (path: string) => {
      const span = new URLSearchParams({ start: String(box.nowNs - second), end: String(box.nowNs + second) })
      return (
        (await (await fetch(`${url()}/loki/api/v1/${path}?${String(span)}`)).json()) as { data: string[] }
      ).data
    }
    assert.ok((await list('labels')).includes('run'))
    assert.ok((await list('label/run/values')).includes(box.labels['run'] ?? ''))
  })

  test('the server says that it is ready', async () => {
    assert.equal((await fetch(`${url()}/ready`)).status, 200)
  })
}
