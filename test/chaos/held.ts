// What the backends and the dead letters hold at the end of a run, in the oracle's form.
import { join } from 'node:path'
import { connect } from 'nats'
import { openLetterStream } from '../../actors/letters/letter-stream.js'
import type { DeadLetter } from '../../runtime/dead-letters.js'
import { letterId, readLetters } from '../../runtime/letter-store.js'
import { esRefresh } from '../real/servers/es-query.js'
import { lokiLines } from '../real/servers/loki-query.js'
import type { ElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import type { LokiStandIn } from '../stand-ins/loki.js'
import { keyOf, type Evidence, type Stored } from './oracle.js'

const RAW_DOCUMENT = /,"raw":"/
const BATCH_ID = /,"batch_id":"[^"]*"\}$/
const SCROLL_DOCUMENTS = 5000
const WINDOW_NS = 1_000_000_000n

function storedDocument(rid: string, source: string): Stored {
  const isRaw = RAW_DOCUMENT.test(source) || !BATCH_ID.test(source)
  return {
    rid,
    key: keyOf(source),
    hash: isRaw ? undefined : hash(source.replace(BATCH_ID, '}')),
    text: source,
  }
}

export function heldByElasticsearchStandIn(es: ElasticsearchStandIn): Stored[] {
  return [...es.documents()].map(([id, source]) => storedDocument(id, source.toString()))
}

export function heldByLokiStandIn(loki: LokiStandIn): Stored[] {
  return loki.entries().map(({ line, metadata }) => storedEntry(metadata['rid'], line))
}

function storedEntry(rid: string | undefined, line: string): Stored {
  return { rid: rid ?? '', key: rid === undefined ? undefined : keyOf(line), hash: hash(line), text: line }
}

/** Every document of the indices, its source as the bytes that were stored. */
export async function heldByElasticsearch(url: string, index: string): Promise<Stored[]> {
  await esRefresh(url, index)
  const found: Stored[] = []
  const first = { size: SCROLL_DOCUMENTS, sort: ['_doc'] }
  let answer = await post(`${url}/${index}/_search?scroll=2m`, first)
  for (;;) {
    const parts = answer.split('"_id":"').slice(1)
    if (parts.length === 0) return found
    for (const part of parts) {
      const from = part.indexOf('"_source":') + '"_source":'.length
      const source = part.slice(from, part.lastIndexOf(',"sort":['))
      found.push(storedDocument(part.slice(0, part.indexOf('"')), source))
    }
    const { _scroll_id: scroll_id } = JSON.parse(answer) as { _scroll_id: string }
    answer = await post(`${url}/_search/scroll`, { scroll: '2m', scroll_id })
  }
}

async function post(url: string, body: unknown): Promise<string> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text.slice(0, 300)}`)
  return text
}

/** Every entry of the selector, window by window: a query has a limit of entries. */
export async function heldByLoki(
  url: string,
  selector: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Promise<Stored[]> {
  const found: Stored[] = []
  const endNs = BigInt(toMs) * 1_000_000n
  for (let fromNs = BigInt(fromMs) * 1_000_000n; fromNs < endNs; fromNs += WINDOW_NS) {
    const lines = await lokiLines(url, selector, { fromNs, toNs: fromNs + WINDOW_NS - 1n })
    for (const { line, metadata } of lines) found.push(storedEntry(metadata['rid'], line))
  }
  return found
}

/** The dead letters of all nodes, by backend: those of their folders, and those that went on into NATS. */
export async function deadLetters(
  dataDirs: readonly string[],
  backends: readonly string[],
  nats?: { readonly url: string; readonly clusterId: string },
): Promise<Evidence['letters']> {
  const found = new Map<string, DeadLetter>()
  const remember = (letter: DeadLetter) => found.set(`${letter.backend} ${letterId(letter)}`, letter)
  for (const dataDir of dataDirs)
    for await (const { letter } of readLetters(join(dataDir, 'dlq'))) remember(letter)
  // After the folders: a letter is in the stream before it leaves them.
  if (nats !== undefined) for await (const letter of lettersInNats(nats)) remember(letter)
  const of = (backend: string) => [...found.values()].filter((letter) => letter.backend === backend)
  return Object.fromEntries(
    backends.map((backend) => [
      backend,
      of(backend).map(({ record, reason }) => ({ key: keyOf(record), reason })),
    ]),
  )
}

async function* lettersInNats({
  url,
  clusterId,
}: {
  readonly url: string
  readonly clusterId: string
}): AsyncGenerator<DeadLetter> {
  const connection = await connect({ servers: url })
  try {
    const stream = await openLetterStream(connection, clusterId)
    for await (const { letter } of stream.read()) yield letter
  } finally {
    await connection.close()
  }
}

/** FNV-1a over UTF-16 units: enough to tell two different texts apart in a test. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
