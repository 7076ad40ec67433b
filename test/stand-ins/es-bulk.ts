// Elasticsearch's _bulk: reads action and source lines, stores what may be stored, answers every item.
import { gzipSync } from 'node:zlib'
import { failure, json } from './es-answer.js'
import { admit } from './es-mapping.js'
import type { Index, Store } from './es-store.js'
import { everyShare } from './faults.js'
import type { Answer, Request } from './http.js'
import { parseStrict } from './strict-json.js'

export type BulkStats = { stored: number; conflicts: number; refused: number; swallowed: number }

type Verb = 'create' | 'index' | 'delete'
type Action = { readonly verb: Verb; readonly index: string; readonly id?: string }
type Item = {
  readonly _index: string
  readonly _id: string
  readonly status: number
  readonly [more: string]: unknown
}

const cheapFilter = 'errors,items.*.status'
const newline = 0x0a
const shards = { total: 1, successful: 1, failed: 0 }

export function bulk(
  request: Request,
  pathIndex: string | undefined,
  store: Store,
  stats: BulkStats,
  keep: boolean,
): Answer {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/(vnd\.elasticsearch\+)?(x-nd)?json/.test(type)) {
    return json({ error: `Content-Type header [${type}] is not supported`, status: 406 }, null, 406)
  }
  if (request.body.length === 0) return failure(400, 'parse_exception', 'request body is required')
  if (request.body[request.body.length - 1] !== newline) {
    return failure(
      400,
      'illegal_argument_exception',
      'The bulk request must be terminated by a newline [\\n]',
    )
  }
  const plain = Object.keys(request.faults).length === 0 || request.faults.swallow !== undefined
  const filter = request.query.get('filter_path')
  if (!keep && plain && filter === cheapFilter) {
    const counted = countOnly(request, pathIndex, store, stats)
    if (counted !== undefined) return counted
  }
  return eachItem(request, pathIndex, store, stats, keep)
}

/** The acknowledging sink: every document is new; undefined where a line needs the careful way. */
function countOnly(
  request: Request,
  pathIndex: string | undefined,
  store: Store,
  stats: BulkStats,
): Answer | undefined {
  const { body } = request
  const create = body.subarray(0, 10).equals(Buffer.from('{"create":'))
  if (!create) return undefined
  const perIndex = new Map<string, number>()
  let count = 0
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf(newline, at)
    const sourceEnd = body.indexOf(newline, lineEnd + 1)
    // {"c of a create action: another action must not be taken for one.
    if (body[at + 2] !== 0x63 || sourceEnd < 0) return undefined
    if (pathIndex === undefined) {
      const index = /"_index":"([^"]+)"/.exec(body.toString('latin1', at, lineEnd))?.[1]
      if (index === undefined) return undefined
      perIndex.set(index, (perIndex.get(index) ?? 0) + 1)
    }
    count++
    at = sourceEnd + 1
  }
  if (pathIndex !== undefined) perIndex.set(pathIndex, count)
  if (request.faults.swallow === undefined) {
    for (const [name, number] of perIndex) store.open(name).count += number
    stats.stored += count
  } else stats.swallowed += count
  return allCreated(count)
}

const answersByCount = new Map<number, Answer>()

function allCreated(count: number): Answer {
  const known = answersByCount.get(count)
  if (known !== undefined) return known
  const body = Buffer.from(
    `{"errors":false,"items":[${'{"create":{"status":201}},'.repeat(count).slice(0, -1)}]}`,
  )
  const answer: Answer = {
    status: 200,
    body,
    gzipped: gzipSync(body),
    headers: { 'content-type': 'application/json' },
  }
  if (answersByCount.size >= 64) answersByCount.clear()
  answersByCount.set(count, answer)
  return answer
}

function eachItem(
  request: Request,
  pathIndex: string | undefined,
  store: Store,
  stats: BulkStats,
  keep: boolean,
): Answer {
  const actions = readActions(request.body, pathIndex)
  if ('status' in actions) return actions
  const { itemStatus, itemShare = 1, swallow, missingItems = 0 } = request.faults
  const fails = everyShare(itemShare)
  const vanishes = everyShare(swallow === true ? 1 : Number(swallow ?? 0))
  const items = actions.map(({ action, source }): Record<string, Item> => {
    const { index, verb } = action
    if (itemStatus !== undefined && fails()) return { [verb]: faultItem(action, itemStatus) }
    if (vanishes()) {
      stats.swallowed++
      return {
        [verb]: { _index: index, _id: action.id ?? '', status: 201, result: 'created', _shards: shards },
      }
    }
    return { [verb]: apply(action, source, store.open(index), stats, keep) }
  })
  const errors = items.some((item) => Object.values(item).some(({ status }) => status >= 300))
  const shown = missingItems > 0 ? items.slice(0, -missingItems) : items
  return json({ errors, took: 1, items: shown }, request.query.get('filter_path'))
}

const faultItem = (action: Action, status: number): Item => ({
  _index: action.index,
  _id: action.id ?? '',
  status,
  error:
    status === 429
      ? { type: 'es_rejected_execution_exception', reason: 'rejected execution of coordinating operation' }
      : { type: 'document_parsing_exception', reason: `refused with ${status} as the fault demands` },
})

/** An action whose source line is missing is left out without a word, as the real server does. */
function readActions(
  body: Buffer,
  pathIndex: string | undefined,
): Answer | { action: Action; source: Buffer }[] {
  const actions: { action: Action; source: Buffer }[] = []
  let line = 0
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf(newline, at)
    line++
    const text = body.toString('utf8', at, lineEnd)
    at = lineEnd + 1
    if (text.trim() === '') continue
    const action = readAction(text, pathIndex, line)
    if ('status' in action) return action
    if (action.verb === 'delete') {
      actions.push({ action, source: Buffer.alloc(0) })
      continue
    }
    const sourceEnd = body.indexOf(newline, at)
    if (sourceEnd < 0) break
    actions.push({ action, source: body.subarray(at, sourceEnd) })
    at = sourceEnd + 1
    line++
  }
  return actions.length > 0 ? actions : invalid('no requests added')
}

const invalid = (what: string): Answer =>
  failure(400, 'action_request_validation_exception', `Validation Failed: 1: ${what};`)

function readAction(text: string, pathIndex: string | undefined, line: number): Answer | Action {
  let parsed: Record<string, { _index?: string; _id?: string } | undefined>
  try {
    parsed = JSON.parse(text) as typeof parsed
  } catch {
    return failure(
      400,
      'illegal_argument_exception',
      `Malformed action/metadata line [${line}], expected START_OBJECT`,
    )
  }
  const [verb = ''] = Object.keys(parsed)
  if (verb !== 'create' && verb !== 'index' && verb !== 'delete') {
    const expected = 'expected field [create], [delete], [index] or [update]'
    return failure(
      400,
      'illegal_argument_exception',
      `Malformed action/metadata line [${line}], ${expected} but found [${verb}]`,
    )
  }
  const { _index: index = pathIndex, _id: id } = parsed[verb] ?? {}
  if (index === undefined) return invalid('index is missing')
  return { verb, index, ...(id === undefined ? {} : { id }) }
}

function apply(action: Action, source: Buffer, index: Index, stats: BulkStats, keep: boolean): Item {
  const id = action.id ?? `auto-${index.sequence}`
  const item = { _index: index.name, _id: id }
  const existing = index.documents.get(id)
  if (action.verb === 'delete') {
    if (!index.documents.delete(id)) return { ...item, status: 404, result: 'not_found' }
    index.count--
    return { ...item, status: 200, result: 'deleted' }
  }
  const refusal = keep ? refusalOf(source, index) : undefined
  if (refusal !== undefined) {
    stats.refused++
    return { ...item, status: 400, error: { type: 'document_parsing_exception', reason: refusal } }
  }
  if (existing !== undefined && action.verb === 'create') {
    stats.conflicts++
    const reason = `[${id}]: version conflict, document already exists (current version [${existing.version}])`
    return {
      ...item,
      status: 409,
      error: { type: 'version_conflict_engine_exception', reason, shard: '0', index: index.name },
    }
  }
  const version = (existing?.version ?? 0) + 1
  const sequence = index.sequence++
  if (keep) index.documents.set(id, { source, version, sequence, values: new Map() })
  if (existing === undefined) index.count++
  stats.stored++
  const done =
    existing === undefined ? { result: 'created', status: 201 } : { result: 'updated', status: 200 }
  return { ...item, _version: version, _shards: shards, _seq_no: sequence, _primary_term: 1, ...done }
}

function refusalOf(source: Buffer, index: Index): string | undefined {
  try {
    return admit(parseStrict(source.toString()), index.mapping)
  } catch (error) {
    return `failed to parse: ${(error as Error).message}`
  }
}
