// What both backends hold of a scenario, record by record: every seq once in each, and the same bytes in both.
import assert from 'node:assert/strict'
import { esRefresh } from './servers/es-query.js'
import { eachLokiLine, lokiSeries } from './servers/loki-query.js'
import type { Scenario } from './scenario.js'

/** At once, as Loki's own clients ask. */
const READERS = 4

export interface Held {
  /** seq → hash of the canonical record; a seq that was met twice is in `doubled`. */
  readonly records: Map<number, number>
  readonly doubled: number[]
  /** `service|LEVEL` → records */
  readonly counts: Map<string, number>
  /** Entries beyond the first of a record id: Loki keeps a re-sent entry twice when it has sharded the stream in between. */
  copies: number
}

/** By these streams are read apart: a window over all of them unpacks all of their blocks for each page. */
const STREAM_LABELS = ['namespace', 'service_name', 'log_level']

/** Demands that both backends hold exactly `expected`, each record once, byte-identical. */
export async function demandEqual(
  scenario: Scenario,
  expected: ReadonlyMap<string, number>,
  span: { fromMs: number; toMs: number },
): Promise<{ records: number; lokiCopies: number }> {
  const total = [...expected.values()].reduce((sum, count) => sum + count, 0)
  const es = await heldByElasticsearch(scenario)
  assert.deepEqual(differences(es.counts, expected), [], 'counts by service and level in Elasticsearch')
  assert.equal(es.records.size, total, 'distinct records in Elasticsearch')
  assert.deepEqual(es.doubled, [], 'records twice in Elasticsearch')
  const loki = await heldByLoki(scenario, span)
  assert.deepEqual(differences(loki.counts, expected), [], 'counts by service and level in Loki')
  assert.equal(loki.records.size, total, 'distinct records in Loki')
  assert.deepEqual(loki.doubled, [], 'records twice in Loki')
  for (const [seq, hash] of es.records)
    assert.equal(loki.records.get(seq), hash, `record ${seq} is byte-identical in both`)
  return { records: total, lokiCopies: loki.copies }
}

export async function heldByElasticsearch({ esUrl, index }: Scenario): Promise<Held> {
  await esRefresh(esUrl, index)
  const held = emptyHeld()
  let response = await fetch(`${esUrl}/${index}/_search?scroll=2m`, post({ size: 10_000, sort: ['_doc'] }))
  for (;;) {
    const text = await response.text()
    assert.equal(response.status, 200, text.slice(0, 500))
    const { _scroll_id: scroll_id } = JSON.parse(text) as { _scroll_id: string }
    const sources = sourcesOf(text)
    if (sources.length === 0) return held
    for (const source of sources) take(held, source.replace(/,"batch_id":"[^"]*"\}$/, '}'))
    response = await fetch(`${esUrl}/_search/scroll`, post({ scroll: '2m', scroll_id }))
  }
}

/** Raw `_source` texts of a search answer: parsing would lose the bytes. */
function sourcesOf(answer: string): string[] {
  return answer
    .split('"_source":')
    .slice(1)
    .map((part) =>
      part.slice(
        0,
        part.lastIndexOf(',"batch_id":"') + part.slice(part.lastIndexOf(',"batch_id":"')).indexOf('}') + 1,
      ),
    )
}

async function heldByLoki(
  { lokiUrl, clusterId }: Scenario,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<Held> {
  const held = emptyHeld()
  const rids = new Set<string>()
  const span = { fromNs: BigInt(fromMs) * 1_000_000n, toNs: BigInt(toMs) * 1_000_000n }
  const own = `cluster_id="${clusterId}"`
  const streams = new Set(
    (await lokiSeries(lokiUrl, `{${own}}`, span)).map((labels) =>
      STREAM_LABELS.map((name) => `${name}=${JSON.stringify(labels[name] ?? '')}`).join(),
    ),
  )
  const left = [...streams]
  async function readStreams(): Promise<void> {
    for (let stream = left.pop(); stream !== undefined; stream = left.pop())
      await eachLokiLine(lokiUrl, `{${own},${stream}}`, span, ({ line, metadata }) => {
        const rid = metadata['rid'] ?? ''
        if (rids.has(rid)) held.copies++
        else take(held, line)
        rids.add(rid)
      })
  }
  await Promise.all(Array.from({ length: READERS }, readStreams))
  return held
}

function emptyHeld(): Held {
  return { records: new Map(), doubled: [], counts: new Map(), copies: 0 }
}

function take(held: Held, record: string): void {
  const seq = Number(/\bseq\\?"?[:=](\d+)/.exec(record)?.[1] ?? -1)
  const level = /"log_level":"([^"]*)"/.exec(record)?.[1]
  const service = /"service_name":"([^"]*)"/.exec(record)?.[1]
  const key = `${service}|${level}`
  held.counts.set(key, (held.counts.get(key) ?? 0) + 1)
  if (held.records.has(seq)) held.doubled.push(seq)
  held.records.set(seq, hash(record))
}

/** FNV-1a over UTF-16 units: enough to tell two different texts apart in a test. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}

/** `key: held, expected` wherever the two differ. */
function differences(held: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): string[] {
  const keys = [...new Set([...held.keys(), ...expected.keys()])].toSorted()
  return keys
    .filter((key) => held.get(key) !== expected.get(key))
    .map((key) => `${key}: ${held.get(key)}, ${expected.get(key)}`)
}

function post(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}
