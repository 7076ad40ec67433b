// The texts of configured field names, and the look-ups that the perfect hash table of names.ts does not do.
import { headWord, sameBytes } from './hash'

const FIELDS_MAX: u32 = 128
const NESTED_MAX: u32 = 256
const PREFIXES: usize = 64
const TEXT_BYTES: usize = 65536

/** What a field may be: bits of a spec. Bits 4–5 are the latency's unit, 8–13 the number of the prefix that a container stands for. */
export const S_STATUS: u32 = 1
export const S_LATENCY: u32 = 2
export const S_CONTAINER: u32 = 4

/** Names inside objects of a prefix begin with more than two letters. */
export const LETTERS_MANY: u32 = 0x10000

/** Per root field, from number 1 on: u32 text address, u32 length, u32 spec, u32 number of the next field in its list. */
const FIELDS: usize = memory.data(129 * 16, 16)
/** Per nested field: u32 text address, u32 length, u32 spec, u64 first eight bytes at 16. Those of one prefix lie together. */
const NESTED: usize = memory.data(256 * 32, 16)
/** Per prefix number: u32 address of its first nested field, u32 the one after its last, u32 specs of all, u32 first letters of all (see nestedLetters). */
const RANGES: usize = memory.data(64 * 16, 16)
const TEXTS: usize = memory.data(65536 + 64, 16)

let count: u32 = 0
let nestedCount: u32 = 0
let textBytes: usize = 0
/** Heads of the lists: names longer than 16 bytes, and names without an entry of their own. */
let longFirst: u32 = 0
let chainFirst: u32 = 0
/** Bit n & 63: there is a long name of n bytes. */
let longLengths: u64 = 0
/** Number of the present set of names, 0 … 63: what an earlier scan found by other names is not looked up by these. */
export let generation: u32 = 0

export function clearNames(): void {
  count = 0
  nestedCount = 0
  textBytes = 0
  longFirst = 0
  chainFirst = 0
  longLengths = 0
  generation = (generation + 1) & 63
  memory.fill(RANGES, 0, PREFIXES << 4)
}

/** Where the text of the next name goes. */
export function nextText(): usize {
  return TEXTS + textBytes
}

function keepText(entry: usize, length: usize, spec: u32): void {
  store<u32>(entry, <u32>nextText())
  store<u32>(entry, <u32>length, 4)
  store<u32>(entry, spec, 8)
  textBytes += length
}

/** Keeps the name at nextText; returns its number, 0 when there is no room. */
export function addRoot(length: usize, spec: u32): u32 {
  if (count == FIELDS_MAX || textBytes + length > TEXT_BYTES) return 0
  const field = ++count
  const entry = FIELDS + (<usize>field << 4)
  keepText(entry, length, spec)
  store<u32>(entry, 0, 12)
  return field
}

/** Keeps the name at nextText as one inside the objects of the prefix; those of one prefix must come one after the other. */
export function addNested(prefix: u32, length: usize, spec: u32): bool {
  if (nestedCount == NESTED_MAX || prefix >= <u32>PREFIXES || textBytes + length > TEXT_BYTES) return false
  const entry = NESTED + (<usize>nestedCount << 5)
  store<u64>(entry, headWord(nextText(), length), 16)
  keepText(entry, length, spec)
  nestedCount++
  const range = RANGES + (<usize>prefix << 4)
  if (load<u32>(range) == 0) store<u32>(range, <u32>entry)
  store<u32>(range, <u32>entry + 32, 4)
  store<u32>(range, load<u32>(range, 8) | spec, 8)
  store<u32>(range, withLetter(load<u32>(range, 12), load<u8>(load<u32>(entry))), 12)
  return true
}

/** Adds a first letter to a prefix's: two at most are kept apart. */
function withLetter(letters: u32, letter: u32): u32 {
  const a = letters & 0xff
  const b = (letters >> 8) & 0xff
  if (letters == 0) return letter | (letter << 8)
  if (letter == a || letter == b || letters >> 16 != 0) return letters
  return a == b ? a | (letter << 8) : LETTERS_MANY
}

export function specOf(field: u32): u32 {
  return load<u32>(FIELDS + (<usize>field << 4), 8)
}

/** A name that shares its entry of the hash table. */
export function chainField(field: u32): void {
  store<u32>(FIELDS + (<usize>field << 4), chainFirst, 12)
  chainFirst = field
}

export function addLong(field: u32): void {
  const entry = FIELDS + (<usize>field << 4)
  longLengths |= (<u64>1) << (<u64>load<u32>(entry, 4) & 63)
  store<u32>(entry, longFirst, 12)
  longFirst = field
}

/** The field of a list whose name is the `length` bytes at `at`, 0 when there is none. */
function find(field: u32, at: usize, length: usize): u32 {
  while (field != 0) {
    const entry = FIELDS + (<usize>field << 4)
    if (load<u32>(entry, 4) == <u32>length && sameBytes(load<u32>(entry), at, length)) return field
    field = load<u32>(entry, 12)
  }
  return 0
}

export function longField(at: usize, length: usize): u32 {
  return ((longLengths >> (<u64>length & 63)) & 1) == 0 ? 0 : find(longFirst, at, length)
}

export function chainedField(at: usize, length: usize): u32 {
  return find(chainFirst, at, length)
}

/** The specs of all names inside objects of the prefix, in one. */
export function nestedSpecs(prefix: u32): u32 {
  return load<u32>(RANGES + (<usize>prefix << 4), 8)
}

/** Bits 0–7 and 8–15: the one or two letters that names inside objects of the prefix begin with; or LETTERS_MANY. */
export function nestedLetters(prefix: u32): u32 {
  return load<u32>(RANGES + (<usize>prefix << 4), 12)
}

/** The spec of a key inside an object of the prefix, 0 when it is not wanted. */
export function nestedSpec(prefix: u32, at: usize, length: usize): u32 {
  const range = RANGES + (<usize>prefix << 4)
  const head = headWord(at, length)
  const last = <usize>load<u32>(range, 4)
  for (let entry = <usize>load<u32>(range); entry < last; entry += 32) {
    if (load<u64>(entry, 16) != head || load<u32>(entry, 4) != <u32>length) continue
    if (length <= 8 || sameBytes(load<u32>(entry), at, length)) return load<u32>(entry, 8)
  }
  return 0
}

/** The nested field of the prefix whose name begins at `at` and ends with a quote, as an address for nestedBytes and nestedSpecAt; 0 when there is none. */
export function nestedAt(prefix: u32, at: usize): usize {
  const range = RANGES + (<usize>prefix << 4)
  const last = <usize>load<u32>(range, 4)
  for (let entry = <usize>load<u32>(range); entry < last; entry += 32) {
    const length = <usize>load<u32>(entry, 4)
    if (load<u8>(at + length) != 34 || load<u64>(entry, 16) != headWord(at, length)) continue
    if (length <= 8 || sameBytes(load<u32>(entry), at, length)) return entry
  }
  return 0
}

export function nestedBytes(nested: usize): usize {
  return load<u32>(nested, 4)
}

export function nestedSpecAt(nested: usize): u32 {
  return load<u32>(nested, 8)
}
