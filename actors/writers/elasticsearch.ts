// The Elasticsearch backend: sends bulks, and sorts what comes back into stored, to be sent again, to be sent as raw, and dead.
import type { ElasticsearchOptions } from '../../protocol/config/backends.js'
import { type BulkBatch, BULK_BYTES_MIN, bulkEncoderBytes, createBulkEncoder } from './elasticsearch/bulk.js'
import { allStored, type ItemAnswer, readItems } from './elasticsearch/answer.js'
import { type Answer, createElasticsearchClient, type ElasticsearchClient } from './elasticsearch/client.js'
import { batchOf, halvesOf, type Item, itemsOf, partsOf, rawItem, recordOf } from './elasticsearch/items.js'
import { installTemplate } from './elasticsearch/template.js'
import { faultOfError, faultOfStatus } from './http/fault.js'
import {
  type Backend,
  type BackendContext,
  failed,
  type Fault,
  type Refused,
  type Result,
  type Turn,
} from './writer.js'

export { bulkEncoderBytes as elasticsearchKernelBytes }

/** Errors of an item that are not about its shape: the operator mends them, and then the same document is taken. */
const OPERATOR_ERRORS =
  /^(invalid_index_name|validation|index_closed|cluster_block|security|index_not_found|action_request_validation|process_cluster_event_timeout|unavailable_shards|authorization)_exception$/
const TRIES_BEFORE_SPLIT = 3
const TRIES_BEFORE_SHRINK = 5
const RESET_BYTES_MIN = 1024 * 1024
const LOG_EVERY_MS = 10_000

export function createElasticsearch(
  context: BackendContext<BulkBatch>,
  options: ElasticsearchOptions,
): Backend<BulkBatch> {
  const { name, clock, log, metrics } = context
  const what = `elasticsearch ${options.url}`
  const encoder = createBulkEncoder(context, options)
  let client: ElasticsearchClient | undefined
  let saidMs = Number.NEGATIVE_INFINITY

  async function attempt(batch: BulkBatch, turn: Turn): Promise<Result<BulkBatch>> {
    client ??= createElasticsearchClient(name, options)
    let answer: Answer
    try {
      answer = await client.bulk(batch.index, batch.body, batch.stage !== 'first', turn.signal)
    } catch (error) {
      return unanswered(batch, turn, error)
    }
    if (answer.status !== 200) return wholeRefused(batch, turn, answer)
    if (batch.stage === 'first' && allStored(answer.body, batch.records)) {
      encoder.taken(batch.bytes)
      return { settled: batch.parts, refused: [], next: [] }
    }
    const answers = readItems(answer.body, batch.records)
    if (answers === undefined) {
      return failed(batch, {
        kind: 'down',
        reason: `${what}: the answer does not speak of all ${batch.records} documents`,
      })
    }
    return sort(batch, itemsOf(batch), answers)
  }

  /** A proxy that finds the body too large may hang up before its 413 is read: so what is reset again and again gets smaller. */
  function unanswered(batch: BulkBatch, turn: Turn, error: unknown): Result<BulkBatch> {
    const fault = faultOfError(what, error, turn.signal.aborted, options.timeout)
    const large = batch.bytes > RESET_BYTES_MIN && batch.records > 1
    const hungUp =
      large && turn.number >= TRIES_BEFORE_SHRINK && /ECONNRESET|EPIPE|other side closed/.test(fault.reason)
    if (!hungUp) return failed(batch, fault)
    encoder.shrink(batch.bytes)
    return { settled: [], refused: [], next: halvesOf(batch), fault }
  }

  function wholeRefused(
    batch: BulkBatch,
    turn: Turn,
    { status, retryAfter, body }: Answer,
  ): Result<BulkBatch> {
    const fault = faultOfStatus(what, status, retryAfter, clock.now())
    const many = batch.records > 1
    if (status === 413) {
      encoder.shrink(batch.bytes)
      if (many) return { settled: [], refused: [], next: halvesOf(batch) }
      return { settled: [], refused: buried(batch, itemsOf(batch), 'too_large', `status 413`), next: [] }
    }
    // A bulk above the server's memory limit is 429 for ever; a plain 400 can be the work of one document.
    const shrinks = status === 429 && batch.bytes > 2 * BULK_BYTES_MIN
    // Only while others are stored: else it is the server, or not even Elasticsearch, that says so to everything.
    const isolates = status === 400 && turn.storedMs > turn.firstMs
    if (turn.number < TRIES_BEFORE_SPLIT || !(shrinks || isolates)) return failed(batch, fault)
    if (shrinks) encoder.shrink(batch.bytes)
    if (many) return { settled: [], refused: [], next: halvesOf(batch), fault }
    return {
      settled: [],
      refused: buried(batch, itemsOf(batch), 'refused', body.toString().slice(0, 500)),
      next: [],
    }
  }

  /** Mixed answers: each item by its status, each next step as a batch of its own. */
  function sort(batch: BulkBatch, items: readonly Item[], answers: readonly ItemAnswer[]): Result<BulkBatch> {
    const sorted = { stored: [] as Item[], again: [] as Item[], refused: [] as Item[] }
    let fault: Fault | undefined
    const refusals: ItemAnswer[] = []
    for (const [n, item] of items.entries()) {
      const answer = answers[n] as ItemAnswer
      const verdict = verdictOf(answer, batch.stage)
      sorted[verdict].push(item)
      if (verdict === 'again') fault = worse(fault, answer)
      if (verdict === 'refused') refusals.push(answer)
      if (batch.stage === 'raw' && answer.status === 201)
        metrics.add('raw_documents_total', 1, { backend: name })
    }
    const next: BulkBatch[] = []
    if (sorted.again.length === batch.records) next.push(batch)
    else if (sorted.again.length > 0) next.push(batchOf(sorted.again, batch, batch.stage))
    const refused = sorted.refused.length === 0 ? [] : onRefused(batch, sorted.refused, refusals, next)
    return { settled: partsOf(sorted.stored), refused, next, ...(fault === undefined ? {} : { fault }) }
  }

  /** first → ask for the reasons; reasons → send as raw documents; raw → nothing more can be done. */
  function onRefused(
    batch: BulkBatch,
    items: readonly Item[],
    refusals: readonly ItemAnswer[],
    next: BulkBatch[],
  ): readonly Refused[] {
    if (batch.stage === 'raw') {
      return items.flatMap((item, n) => buried(batch, [item], 'mapping', textOf(refusals[n])))
    }
    if (batch.stage === 'first') {
      next.push(batchOf(items, batch, 'reasons'))
      return []
    }
    sayRefused(refusals)
    next.push(
      batchOf(
        items.map((item) => rawItem(item, options.data_stream)),
        batch,
        'raw',
      ),
    )
    return []
  }

  /** The error's type only: its text quotes values of the record. */
  function sayRefused(refusals: readonly ItemAnswer[]): void {
    if (clock.monotonic() - saidMs < LOG_EVERY_MS) return
    saidMs = clock.monotonic()
    const types = [...new Set(refusals.map((refusal) => refusal.type))]
    log.warn(
      { backend: name, records: refusals.length, types },
      'documents refused for their shape are sent again as raw',
    )
  }

  function worse(fault: Fault | undefined, { status, type }: ItemAnswer): Fault {
    if (fault?.kind === 'overload') return fault
    if (status === 429)
      return { kind: 'overload', reason: `${what} answers 429 to single documents: overloaded` }
    const kind = status >= 500 ? 'down' : 'blocked'
    return { kind, reason: `${what} answers ${status} to single documents${type === '' ? '' : `: ${type}`}` }
  }

  function buried(batch: BulkBatch, items: readonly Item[], reason: string, detail: string): Refused[] {
    return items.map((item) => {
      const { seq, frame, n } = item
      return { seq, frame, n, reason, detail, record: recordOf(item, batch.stage) }
    })
  }

  return {
    async open(signal) {
      // A restarted writer may get frames before this: the client that sends them is not closed under them.
      client ??= createElasticsearchClient(name, options)
      if (options.template) await installTemplate(client, options, log, signal)
    },
    encode: (frame) => encoder.encode(frame),
    flush: (begunMs) => encoder.flush(begunMs),
    relieve: (ordinal) => encoder.relieve(ordinal),
    attempt,
    async close() {
      await client?.close()
    },
  }
}

function verdictOf({ status, type }: ItemAnswer, stage: BulkBatch['stage']): 'stored' | 'again' | 'refused' {
  // 409 on create: it was stored by an earlier try.
  if (status === 201 || status === 409) return 'stored'
  if (status === 429 || status >= 500) return 'again'
  // Rights and missing indices are never about one document; other causes only show in the full answer.
  if (status === 401 || status === 403 || status === 404) return 'again'
  return stage !== 'first' && OPERATOR_ERRORS.test(type) ? 'again' : 'refused'
}

function textOf(answer: ItemAnswer | undefined): string {
  return `${answer?.type ?? ''}: ${answer?.reason ?? ''}`.slice(0, 1000)
}
