// One record's content: a JSON object whose members are sorted into the table, or a text whose level is looked for.
import { hashMiddle, hashWords, headWord, tailWord } from './hash'
import {
  firstSpecial,
  firstSpecial32,
  lastEscape,
  scanNested,
  scanScalar,
  scanString,
  skipSpace,
} from './json'
import { beginKeys, checkEscapes, checkRootKey, countKey } from './keys'
import { textLevel } from './level'
import { beginMembers, ownDigits, ownNs, ownTime, takeMember } from './member'
import { longTarget, targetOf } from './names'
import {
  agrees,
  expectedElsewhere,
  expectedEnd,
  expectedTarget,
  firstExpected,
  isLearning,
  keepShape,
  learnKey,
  nextExpected,
} from './shapes'
import { addSlow, clearSlow, slowBits } from './slow'
import * as T from './table'
import { isUtf8 } from './utf8'

/** Where the next run pair goes, and the first address that this record may not use. */
let runsAt: usize = 0
let runsLimit: usize = 0

export function beginRuns(at: usize): void {
  runsAt = at
}

export function runsNext(): usize {
  return runsAt
}

function addRun(from: usize, to: usize): void {
  if (runsAt >= runsLimit) {
    addSlow(T.SLOW_TOO_MANY)
    return
  }
  store<u32>(runsAt, <u32>from)
  store<u32>(runsAt, <u32>to, 4)
  runsAt += 8
}

/** Checks a key of the root object and returns its target. */
function rootKey(serial: u32, key: usize, length: usize): u32 {
  const head = headWord(key, length)
  const tail = tailWord(key, length)
  const words = hashWords(head, tail, length)
  const hash = length > 16 ? hashMiddle(words, key, length) : words
  checkRootKey(serial, key, length, hash)
  const target = length > 16 ? longTarget(key, length) : targetOf(head, tail, length, hash)
  if (isLearning) learnKey(key, length, target, hash)
  return target
}

/** Scans the members of the object whose first key is expected at `at`; returns the address after its brace, 0 when it is not valid. */
function scanMembers(entry: usize, at: usize, trust: u32, serial: u32, firstKey: usize): usize {
  let runEnd: usize = 0
  let shape = firstKey
  while (true) {
    if (load<u8>(at) != 34) return 0
    const member = at
    const key = at + 1
    let keyEnd: usize = 0
    let target: u32 = 0
    if (shape != 0 && !agrees(shape, key)) shape = expectedElsewhere(shape, key, serial)
    if (shape != 0) {
      countKey()
      keyEnd = expectedEnd(shape, key)
      target = expectedTarget(shape)
      shape = nextExpected(shape)
    } else {
      keyEnd = firstSpecial(key)
      if (load<u8>(keyEnd) != 34) {
        keyEnd = scanString(keyEnd)
        if (keyEnd == 0) return 0
        if (lastEscape >= key) checkEscapes(key, keyEnd)
      }
      target = rootKey(serial, key, keyEnd - key)
    }
    at = keyEnd + 1
    if (load<u8>(at) != 58) at = skipSpace(at)
    if (load<u8>(at) != 58) return 0
    const value = skipSpace(at + 1)
    let end: usize = 0
    const first = load<u8>(value)
    if (first == 34) {
      end = firstSpecial32(value + 1)
      if (load<u8>(end) != 34) end = scanString(end)
      if (end == 0) return 0
      end++
    } else {
      end = (first | 32) == 123 ? scanNested(value) : scanScalar(value)
      if (end == 0) return 0
    }
    if (target == 0 || !takeMember(entry, target, key, value, end, trust)) {
      if (runEnd + 1 == member) store<u32>(runsAt - 4, <u32>end)
      else addRun(member, end)
      runEnd = end
    }
    at = skipSpace(end)
    if (load<u8>(at) != 44) return load<u8>(at) == 125 ? at + 1 : 0
    at = skipSpace(at + 1)
  }
}

const NO_OBJECT: u32 = 0
const OBJECT: u32 = 1
/** It began like an object: members may be in the table. */
const BROKEN: u32 = 2

/** Scans the content as a JSON object. The byte at `end` is 0. */
function scanObject(entry: usize, start: usize, end: usize, trust: u32): u32 {
  let at = skipSpace(start)
  if (load<u8>(at) != 123) return NO_OBJECT
  const serial = beginKeys((load<u32>(entry, T.FLAGS) & T.F_CLEANED) == 0)
  beginMembers()
  // For an object without members too: what the record before it has left unfinished must not be kept in its name.
  const firstKey = firstExpected()
  at = skipSpace(at + 1)
  const after = load<u8>(at) == 125 ? at + 1 : scanMembers(entry, at, trust, serial, firstKey)
  return after != 0 && skipSpace(after) == end ? OBJECT : BROKEN
}

/** Zeroes what the members of a content that is no JSON after all left in the table: level and all from SERVICE on. */
function forgetMembers(entry: usize): void {
  store<u32>(entry, 0, T.LEVEL)
  memory.fill(entry + T.SERVICE, 0, T.RATE - T.SERVICE)
  memory.fill(entry + T.TIME, 0, T.RECORD_BYTES - T.TIME)
}

function finish(entry: usize, flags: u32): void {
  if (slowBits != 0) {
    store<u32>(entry, slowBits, T.SLOW_REASON)
    flags |= T.F_SLOW
  }
  store<u32>(entry, flags, T.FLAGS)
}

/** Tries the content as JSON; true when the entry is finished. */
function tryObject(entry: usize, start: usize, end: usize, trust: u32, flags: u32): bool {
  const guard = load<u8>(end)
  store<u8>(end, 0)
  const runsFrom = runsAt
  runsLimit = runsAt + (T.RUNS_RESERVE << 3)
  const streamTrust = (flags & T.F_HAS_CRI_TIME) != 0 ? T.T_STREAM : 0
  const outcome = scanObject(entry, start, end, trust | streamTrust)
  store<u8>(end, guard)
  if (outcome != OBJECT) {
    if (outcome == BROKEN) forgetMembers(entry)
    runsAt = runsFrom
    return false
  }
  flags |= T.F_JSON
  if (slowBits == 0) keepShape()
  // A SLOW entry is scanned again from the time that it came with.
  if (ownTime && slowBits == 0) {
    flags |= T.F_OWN_TIME
    store<i64>(entry, ownNs, T.TS)
    store<u32>(entry, ownDigits, T.TS_DIGITS)
  }
  store<u32>(entry, <u32>runsFrom, T.RUNS)
  store<u32>(entry, <u32>((runsAt - runsFrom) >> 3), T.RUNS_COUNT)
  finish(entry, flags)
  return true
}

/**
 * Scans [start, end) into the entry, whose START, END, FLAGS, TS, TS_DIGITS are set and whose other words are 0.
 * `plain`: no byte is above 127. `isText`: do not try JSON. Writes the byte at `end` for a moment.
 */
export function scanContent(
  entry: usize,
  start: usize,
  end: usize,
  trust: u32,
  plain: bool,
  isText: bool,
): void {
  const flags = load<u32>(entry, T.FLAGS)
  clearSlow()
  if (!plain && !isUtf8(start, end)) {
    addSlow(T.SLOW_UTF8)
    finish(entry, flags)
    return
  }
  if (!isText && tryObject(entry, start, end, trust, flags)) return
  store<u32>(entry, textLevel(start, end), T.LEVEL)
}
