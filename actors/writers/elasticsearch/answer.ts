// Reads the answer to a bulk: one compare when all is well, a fixed-stride look for conflicts, and a parse only when something failed.

const HEAD_OK = Buffer.from('{"errors":false,"items":[')
const HEAD_ERRORS = Buffer.from('{"errors":true,"items":[')
const ITEM = Buffer.from('{"create":{"status":201}},')
const TAIL = Buffer.from(']}')
const STRIDE = ITEM.length
const STATUS_AT = ITEM.indexOf('201')

/** What became of one item. */
export interface ItemAnswer {
  readonly status: number
  readonly type: string
  readonly reason: string
}

let template = Buffer.alloc(0)

function templateOf(count: number): Buffer {
  if (template.length < count * STRIDE) template = Buffer.alloc(Math.max(count, 4096) * STRIDE, ITEM)
  return template
}

/**
 * Whether the answer says of exactly `count` items that each is stored: 201, or 409 on create, which means it was there already.
 * The count matters: a body that was cut at a line answers 200 without errors, with fewer items.
 */
export function allStored(body: Buffer, count: number): boolean {
  const itemsBytes = count * STRIDE - 1
  const head = body.indexOf(HEAD_OK) === 0 ? HEAD_OK : HEAD_ERRORS
  if (body.length !== head.length + itemsBytes + TAIL.length) return false
  if (body.compare(head, 0, head.length, 0, head.length) !== 0) return false
  if (body.compare(TAIL, 0, TAIL.length, head.length + itemsBytes) !== 0) return false
  const expected = templateOf(count)
  if (body.compare(expected, 0, itemsBytes, head.length, head.length + itemsBytes) === 0) return true
  for (let item = 0; item < count; item++)
    if (!itemStored(body, head.length + item * STRIDE, item === count - 1)) return false
  return true
}

function itemStored(body: Buffer, at: number, last: boolean): boolean {
  for (let n = 0; n < STRIDE - (last ? 1 : 0); n++) {
    if (body[at + n] !== ITEM[n] && (n < STATUS_AT || n > STATUS_AT + 2)) return false
  }
  const status = body.toString('latin1', at + STATUS_AT, at + STATUS_AT + 3)
  return status === '201' || status === '409'
}

interface RawItem {
  readonly status?: number
  readonly failure_store?: string
  readonly error?: {
    readonly type?: string
    readonly reason?: string
    readonly caused_by?: { readonly reason?: string }
  }
}

/** A document that was diverted to the failure store is not where it belongs. */
const DIVERTED = new Set(['used', 'failed'])

/** The items by number; undefined when the body is not an answer about exactly `count` items. */
export function readItems(body: Buffer, count: number): readonly ItemAnswer[] | undefined {
  let answer: { readonly items?: unknown }
  try {
    answer = JSON.parse(body.toString()) as typeof answer
  } catch {
    return undefined
  }
  const { items } = answer
  if (!Array.isArray(items) || items.length !== count) return undefined
  const read = items.map((item: Record<string, RawItem> | null) => readItem(Object.values(item ?? {})[0]))
  return read.some((item) => Number.isNaN(item.status)) ? undefined : read
}

function readItem(item: RawItem | undefined): ItemAnswer {
  const { status = Number.NaN, failure_store: diverted, error } = item ?? {}
  const cause = error?.caused_by?.reason
  const reason = `${error?.reason ?? ''}${cause === undefined ? '' : `; ${cause}`}`
  if (diverted !== undefined && DIVERTED.has(diverted))
    return { status: 400, type: 'failure_store', reason: 'diverted to the failure store' }
  return { status, type: error?.type ?? '', reason }
}
