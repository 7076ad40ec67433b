// Interned texts: small numbers for service names and namespaces, so that a stream key is a few integers.
import { hashBytes, sameBytes } from './hash'

const INTERN_MAX: u32 = 4096
const TEXT_BYTES: usize = 256
const SLOTS: usize = 8192
const OVERFLOW: u32 = 0xffff

/** Slot: u32 id, 0 when free. */
const TABLE: usize = memory.data(32768, 64)
/** Per id: u32 hash, u32 length. */
const ENTRIES: usize = memory.data(32776, 16)
/** Per id: 256 bytes of text, and slack for whole vectors. */
const TEXTS: usize = memory.data(1048896, 64)

let count: u32 = 0

export function internReset(): void {
  memory.fill(TABLE, 0, SLOTS * 4)
  count = 0
}

export function internCount(): u32 {
  return count
}

export function internPtr(id: u32): usize {
  return TEXTS + <usize>(id - 1) * TEXT_BYTES
}

export function internLen(id: u32): u32 {
  return load<u32>(ENTRIES + ((<usize>id) << 3), 4)
}

/** The id of a text (raw bytes inside the quotes): 1 to 4,096, or 0xffff when the table is full or the text is longer than 256 bytes. */
export function intern(at: usize, length: usize): u32 {
  if (length > TEXT_BYTES) return OVERFLOW
  const hash = <u32>(hashBytes(at, length) >> 32)
  let slot = <usize>(hash >> 8) & (SLOTS - 1)
  while (true) {
    const id = load<u32>(TABLE + (slot << 2))
    if (id == 0) break
    const entry = ENTRIES + ((<usize>id) << 3)
    if (
      load<u32>(entry) == hash &&
      load<u32>(entry, 4) == <u32>length &&
      sameBytes(internPtr(id), at, length)
    )
      return id
    slot = (slot + 1) & (SLOTS - 1)
  }
  if (count == INTERN_MAX) return OVERFLOW
  const id = ++count
  store<u32>(TABLE + (slot << 2), id)
  store<u32>(ENTRIES + ((<usize>id) << 3), hash)
  store<u32>(ENTRIES + ((<usize>id) << 3), <u32>length, 4)
  memory.copy(internPtr(id), at, length)
  return id
}
