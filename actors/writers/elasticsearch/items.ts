// Takes a bulk body apart again, for what has to be sent a second time: items alone, halves, raw documents. Off the hot path.
import { addPart } from '../writer.js'
import type { BulkBatch } from './bulk.js'

export interface Item {
  /** Action and document line, newlines included; a view of the body. */
  readonly bytes: Buffer
  readonly frame: string
  readonly n: number
  readonly seq: number
}

const NEWLINE = 0x0a
const ID = /"_id":"(.+)-(\d+)"\}\}$/

export function itemsOf(batch: BulkBatch): readonly Item[] {
  const seqs = new Map(batch.frames.map((frame, n) => [frame, batch.parts[n]?.seq ?? -1]))
  const items: Item[] = []
  for (let at = 0; at < batch.body.length; ) {
    const actionEnd = batch.body.indexOf(NEWLINE, at)
    const end = batch.body.indexOf(NEWLINE, actionEnd + 1) + 1
    const [, frame = '', n = '0'] = ID.exec(batch.body.toString('utf8', at, actionEnd)) ?? []
    items.push({ bytes: batch.body.subarray(at, end), frame, n: Number(n), seq: seqs.get(frame) ?? -1 })
    at = end
  }
  return items
}

/** A batch of these items, in memory of its own: the region of the first sending can be given back. */
export function batchOf(
  items: readonly Item[],
  from: Pick<BulkBatch, 'index'>,
  stage: BulkBatch['stage'],
): BulkBatch {
  const body = Buffer.concat(items.map((item) => item.bytes))
  const parts: { seq: number; records: number }[] = []
  const frames: string[] = []
  for (const { seq, frame } of items) {
    addPart(parts, seq, 1)
    if (frames.length < parts.length) frames.push(frame)
  }
  return { stage, index: from.index, body, bytes: body.length, records: items.length, parts, frames }
}

export function halvesOf(batch: BulkBatch): readonly BulkBatch[] {
  const items = itemsOf(batch)
  const middle = items.length >> 1
  return [
    batchOf(items.slice(0, middle), batch, batch.stage),
    batchOf(items.slice(middle), batch, batch.stage),
  ]
}

export function partsOf(items: readonly Pick<Item, 'seq'>[]): { seq: number; records: number }[] {
  const parts: { seq: number; records: number }[] = []
  for (const { seq } of items) addPart(parts, seq, 1)
  return parts
}

const TIMESTAMP_MEMBER = /,"@timestamp":"[^"]*"$/

/** The canonical record of an item: what the splice added to it is cut off again. A raw document holds it as a string. */
export function recordOf(item: Item, stage: BulkBatch['stage']): string {
  const text = item.bytes.toString('utf8', item.bytes.indexOf(NEWLINE) + 1, item.bytes.length - 1)
  if (stage === 'raw') return (JSON.parse(text) as { raw: string }).raw
  const tail = `,"batch_id":"${item.frame}"}`
  return text.endsWith(tail) ? `${text.slice(0, -tail.length).replace(TIMESTAMP_MEMBER, '')}}` : text
}

/** The item again, its document replaced by one of a shape that every mapping takes: a few fields, and the record as text. */
export function rawItem(item: Item, dataStream: boolean): Item {
  const record = recordOf(item, 'first')
  const fields = JSON.parse(record) as Record<string, unknown>
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : 'unknown')
  const document = {
    timestamp: fields['timestamp'],
    log_level: text('log_level'),
    service_name: text('service_name'),
    namespace: text('namespace'),
    batch_id: item.frame,
    raw: record,
    ...(dataStream ? { '@timestamp': fields['timestamp'] } : {}),
  }
  const action = item.bytes.subarray(0, item.bytes.indexOf(NEWLINE) + 1)
  return { ...item, bytes: Buffer.concat([action, Buffer.from(`${JSON.stringify(document)}\n`)]) }
}
