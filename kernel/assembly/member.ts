// One member of a record whose name has a meaning: its value goes into the record table, or the member is dropped.
import { takeField } from './field-values'
import { intern } from './intern'
import * as N from './names'
import { addSlow } from './slow'
import * as T from './table'
import { readEpoch, readTime, timeCanonical, timeDigits, timeNs } from './time'
import { levelOfValue } from './words'

/** The record's own timestamp; it goes into the table only when the whole content turns out to be JSON. */
export let ownTime: bool = false
export let ownNs: i64 = 0
export let ownDigits: u32 = 0

export function beginMembers(): void {
  ownTime = false
}

function dropMember(entry: usize): bool {
  store<u32>(entry, load<u32>(entry, T.DROPPED) + 1, T.DROPPED)
  return true
}

function putPair(entry: usize, from: usize, to: usize): void {
  store<u32>(entry, <u32>from)
  store<u32>(entry, <u32>to, 4)
}

/** Stores the range at `field` unless an earlier member took it. */
function takeFirst(entry: usize, field: usize, from: usize, to: usize): bool {
  if (load<u32>(entry + field) != 0) return dropMember(entry)
  putPair(entry + field, from, to)
  return true
}

function takeTime(entry: usize, from: usize, to: usize, strict: bool): bool {
  const quote: usize = load<u8>(from) == 34 ? 1 : 0
  const readable = quote == 1 && readTime(from + 1, to - 1)
  if (!readable && !readEpoch(from + quote, to - quote, quote == 1 ? 10 : 1)) {
    if (strict) addSlow(T.SLOW_TIME)
    return false
  }
  if (ownTime) return dropMember(entry)
  ownTime = true
  ownNs = timeNs
  ownDigits = timeDigits
  if (timeCanonical) putPair(entry + T.TIME, from + 1, to - 1)
  return true
}

function takeLevel(entry: usize, from: usize, to: usize, strict: bool): bool {
  const first = <u32>load<u8>(from)
  const quote: usize = first == 34 ? 1 : 0
  const level = first == 34 || first - 48 <= 9 ? levelOfValue(from + quote, to - from - 2 * quote) : 0
  if (level == 0) {
    if (strict) addSlow(T.SLOW_LEVEL)
    return false
  }
  if (load<u32>(entry, T.LEVEL) != 0) return dropMember(entry)
  store<u32>(entry, level, T.LEVEL)
  return true
}

/** A string of at least `least` bytes; anything else makes the record SLOW. */
function isText(from: usize, to: usize, least: usize): bool {
  if (load<u8>(from) == 34 && to - from >= 2 + least) return true
  addSlow(T.SLOW_OTHER)
  return false
}

function takeLogType(entry: usize, from: usize, to: usize): bool {
  const length = to - from
  let kind: u32 = 3
  const word = load<u64>(from)
  if (length == 5 && (word & 0xffffffffff) == 0x2270706122) kind = 0
  else if (length == 7 && (word & 0xffffffffffffff) == 0x22746964756122) kind = 1
  else if (length == 8 && word == 0x2263697274656d22) kind = 2
  if (kind == 3) {
    addSlow(T.SLOW_OTHER)
    return false
  }
  if (load<u32>(entry, T.LOG_TYPE_RAW) != 0) return dropMember(entry)
  store<u32>(entry, kind, T.LOG_TYPE)
  putPair(entry + T.LOG_TYPE_RAW, from, to)
  return true
}

/** A name that the host may know better (then `trusted`). */
function takeHostName(entry: usize, field: usize, from: usize, to: usize, trusted: u32, least: usize): bool {
  if (trusted != 0) return dropMember(entry)
  return isText(from, to, least) && takeFirst(entry, field, from, to)
}

/** service_name, or namespace where the host's does not win: the text is interned. */
function takeInterned(entry: usize, isService: bool, from: usize, to: usize, trust: u32): bool {
  if (!isService && (trust & T.T_NAMESPACE) != 0) return dropMember(entry)
  if (!isText(from, to, 1)) return false
  const field = isService ? T.SERVICE_RAW : T.NAMESPACE_RAW
  if (load<u32>(entry + field) != 0) return dropMember(entry)
  putPair(entry + field, from, to)
  store<u32>(entry + (isService ? T.SERVICE : T.NAMESPACE), intern(from + 1, to - from - 2))
  return true
}

/** Takes the value [from, to) of the key at `key` for `target`. False: the member stays as it is, under its own name. */
export function takeMember(
  entry: usize,
  target: u32,
  key: usize,
  from: usize,
  to: usize,
  trust: u32,
): bool {
  switch (target) {
    case N.N_TIME:
    case N.N_TIME_ALIAS:
      return takeTime(entry, from, to, target == N.N_TIME)
    case N.N_LEVEL:
    case N.N_LEVEL_ALIAS:
      return takeLevel(entry, from, to, target == N.N_LEVEL)
    case N.N_SOURCE:
      return takeFirst(entry, T.SOURCE, from, to)
    case N.N_MESSAGE:
      return takeFirst(entry, T.MESSAGE, from, to)
    case N.N_SERVICE:
    case N.N_NAMESPACE:
      return takeInterned(entry, target == N.N_SERVICE, from, to, trust)
    case N.N_LOG_TYPE:
      return takeLogType(entry, from, to)
    case N.N_TRACE:
      return isText(from, to, 0) && takeFirst(entry, T.TRACE, from + 1, to - 1)
    case N.N_POD_UID:
      return takeHostName(entry, T.POD_UID, from, to, trust & T.T_POD_UID, 1)
    case N.N_POD_NAME:
      return takeHostName(entry, T.POD_NAME, from, to, trust & T.T_POD_NAME, 0)
    case N.N_CONTAINER_NAME:
      return takeHostName(entry, T.CONTAINER_NAME, from, to, trust & T.T_CONTAINER_NAME, 0)
    case N.N_NODE_NAME:
      return takeHostName(entry, T.NODE_NAME, from, to, trust & T.T_NODE_NAME, 0)
    case N.N_STREAM:
      return (trust & T.T_STREAM) != 0 && dropMember(entry)
    case N.N_LABELS:
      return (trust & T.T_LABELS) != 0 && dropMember(entry)
    case N.N_RESERVED:
      return dropMember(entry)
    default:
      return takeField(entry, target, key, from)
  }
}
