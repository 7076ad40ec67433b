// The member names that have a meaning: which target a key of the root object is for, by a perfect hash table.
import { chainField, longField } from './field-names'
import { hashWords, headWord, tailWord } from './hash'

export const N_OWN: u32 = 0
/** timestamp; unreadable values make the record SLOW. */
export const N_TIME: u32 = 1
/** ts, time, @timestamp; unreadable values stay as they are. */
export const N_TIME_ALIAS: u32 = 2
/** log_level, level. */
export const N_LEVEL: u32 = 3
/** severity, lvl. */
export const N_LEVEL_ALIAS: u32 = 4
export const N_SOURCE: u32 = 5
export const N_MESSAGE: u32 = 6
export const N_SERVICE: u32 = 7
export const N_LOG_TYPE: u32 = 8
export const N_TRACE: u32 = 9
export const N_NAMESPACE: u32 = 10
export const N_POD_UID: u32 = 11
export const N_POD_NAME: u32 = 12
export const N_CONTAINER_NAME: u32 = 13
export const N_NODE_NAME: u32 = 14
/** cluster_id, sample_rate, truncated, batch_id, rid: always dropped. */
export const N_RESERVED: u32 = 15
export const N_STREAM: u32 = 16
/** kubernetes and kubernetes.labels.* */
export const N_LABELS: u32 = 17

/** A key that shares its entry with another's: it may be a configured field's. */
export const N_CHAIN: u32 = 31
/** From here on: configured fields by number. Their members stay the record's own. */
export const N_FIELD: u32 = 32

const ENTRY_SHIFT: usize = 5
const ENTRIES: usize = 128
/** 128 entries of u64 head, u64 tail, u32 length, u32 target, u32 target of every other key (N_OWN or N_CHAIN). */
const TABLE: usize = memory.data(4096, 64)
const TEXT: usize = memory.data(32, 16)
/** `kubernetes.labels.` */
const PREFIX: usize = memory.data(32, 16)
const PREFIX_BYTES: usize = 18

function putText(at: usize, text: string): void {
  for (let i = 0; i < text.length; i++) store<u8>(at + i, <u8>text.charCodeAt(i))
}

function name(text: string, target: u32): void {
  putText(TEXT, text)
  const length = <usize>text.length
  const head = headWord(TEXT, length)
  const tail = tailWord(TEXT, length)
  const entry = TABLE + ((<usize>(hashWords(head, tail, length) >> 57)) << ENTRY_SHIFT)
  store<u64>(entry, head)
  store<u64>(entry, tail, 8)
  store<u32>(entry, <u32>length, 16)
  store<u32>(entry, target, 20)
}

putText(PREFIX, 'kubernetes.labels.')
name('timestamp', N_TIME)
name('ts', N_TIME_ALIAS)
name('time', N_TIME_ALIAS)
name('@timestamp', N_TIME_ALIAS)
name('log_level', N_LEVEL)
name('level', N_LEVEL)
name('severity', N_LEVEL_ALIAS)
name('lvl', N_LEVEL_ALIAS)
name('caller', N_SOURCE)
name('source', N_SOURCE)
name('message', N_MESSAGE)
name('msg', N_MESSAGE)
name('service_name', N_SERVICE)
name('log_type', N_LOG_TYPE)
name('trace_id', N_TRACE)
name('namespace', N_NAMESPACE)
name('pod_uid', N_POD_UID)
name('pod_name', N_POD_NAME)
name('container_name', N_CONTAINER_NAME)
name('node_name', N_NODE_NAME)
name('stream', N_STREAM)
name('kubernetes', N_LABELS)
name('cluster_id', N_RESERVED)
name('sample_rate', N_RESERVED)
name('truncated', N_RESERVED)
name('batch_id', N_RESERVED)
name('rid', N_RESERVED)

/** The target of a key of at most 16 bytes, from its words and their hash. */
export function targetOf(head: u64, tail: u64, length: usize, hash: u64): u32 {
  const entry = TABLE + ((<usize>(hash >> 57)) << ENTRY_SHIFT)
  const different =
    (load<u64>(entry) ^ head) | (load<u64>(entry, 8) ^ tail) | <u64>(load<u32>(entry, 16) ^ <u32>length)
  return different == 0 ? load<u32>(entry, 20) : load<u32>(entry, 24)
}

/** The target of a key longer than 16 bytes: only labels and configured fields have such names. */
export function longTarget(at: usize, length: usize): u32 {
  if (
    length >= PREFIX_BYTES &&
    load<u16>(at, 16) == load<u16>(PREFIX, 16) &&
    i8x16.all_true(i8x16.eq(v128.load(at), v128.load(PREFIX)))
  )
    return N_LABELS
  const field = longField(at, length)
  return field == 0 ? N_OWN : N_FIELD + field
}

/** Makes the name of at most 16 bytes at `at` that of a configured field; none of the names above. */
export function putField(at: usize, length: usize, field: u32): void {
  const head = headWord(at, length)
  const tail = tailWord(at, length)
  const entry = TABLE + ((<usize>(hashWords(head, tail, length) >> 57)) << ENTRY_SHIFT)
  if (load<u32>(entry, 20) != N_OWN) {
    store<u32>(entry, N_CHAIN, 24)
    chainField(field)
    return
  }
  store<u64>(entry, head)
  store<u64>(entry, tail, 8)
  store<u32>(entry, <u32>length, 16)
  store<u32>(entry, N_FIELD + field, 20)
}

/** Takes all configured fields out of the table. */
export function forgetFields(): void {
  for (let n: usize = 0; n < ENTRIES; n++) {
    const entry = TABLE + (n << ENTRY_SHIFT)
    if (load<u32>(entry, 20) >= N_FIELD) memory.fill(entry, 0, <usize>1 << ENTRY_SHIFT)
    store<u32>(entry, N_OWN, 24)
  }
}
