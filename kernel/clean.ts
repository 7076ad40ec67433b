// Cleaning: what the scanner does not take as it is (invalid UTF-8, duplicate keys, deep nesting, unreadable canonical values) becomes a record that it takes.
import { isLenient, isReadable, targetOf, trustBit } from './names.js'
import { SLOW } from './table.js'
import { type JsonMember, type JsonNode, parseObject } from './twin-json.js'

export interface Cleaned {
  readonly bytes: Uint8Array
  /** The bytes are one JSON object; else they are text. */
  readonly json: boolean
  /** SLOW bits: what was done. */
  readonly reasons: number
  /** Members dropped because their key was there before, at any level. */
  readonly dropped: number
}

/** Containers nested deeper than this become strings; the record itself is 1. */
const DEPTH_MAX = 100
const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

interface Tally {
  readonly text: string
  reasons: number
  dropped: number
}

/** The key as JSON.stringify writes it, when it has escapes; then equal keys have equal bytes. */
function keyText(tally: Tally, member: JsonMember): string {
  const raw = tally.text.slice(member.start, member.keyEnd)
  if (!raw.includes('\\')) return raw
  const plain = JSON.stringify(member.key)
  if (plain !== raw) tally.reasons |= SLOW.ESCAPED_KEY
  return plain
}

/** A member, byte for byte when neither its key nor its value changes. */
function renderMember(tally: Tally, member: JsonMember, depth: number, key: string): string {
  const value = renderValue(tally, member.value, depth)
  const { start, keyEnd } = member
  const same = key === tally.text.slice(start, keyEnd) && isSame(tally, member.value, value)
  return same ? tally.text.slice(start, member.value.end) : `${key}:${value}`
}

function isSame(tally: Tally, node: JsonNode, rendered: string): boolean {
  return rendered === tally.text.slice(node.start, node.end)
}

/** Members of which no earlier one has the same key. */
function firstMembers(tally: Tally, members: readonly JsonMember[]): JsonMember[] {
  const seen = new Set<string>()
  const first = members.filter(({ key }) => !seen.has(key) && seen.add(key))
  tally.dropped += members.length - first.length
  if (first.length < members.length) tally.reasons |= SLOW.DUPLICATE_KEY
  return first
}

/** A value at `depth` (of a container in it): unchanged text where nothing in it changes. */
function renderValue(tally: Tally, node: JsonNode, depth: number): string {
  const raw = tally.text.slice(node.start, node.end)
  if (node.kind === 'scalar') return raw
  if (depth > DEPTH_MAX) {
    tally.reasons |= SLOW.DEPTH
    return JSON.stringify(raw)
  }
  if (node.kind === 'array') {
    const items = node.items.map((item) => renderValue(tally, item, depth + 1))
    return node.items.every((item, n) => isSame(tally, item, items[n] ?? '')) ? raw : `[${items.join(',')}]`
  }
  const first = firstMembers(tally, node.members)
  const parts = first.map((member) => renderMember(tally, member, depth + 1, keyText(tally, member)))
  const same =
    first.length === node.members.length &&
    first.every((member, n) => parts[n] === tally.text.slice(member.start, member.value.end))
  return same ? raw : `{${parts.join(',')}}`
}

/** `<target>_raw` for a member whose name promises what its value is not. */
function renamed(tally: Tally, member: JsonMember, trust: number): string | undefined {
  const target = targetOf(member.key)
  if (target === undefined || (trustBit(target) & trust) !== 0) return undefined
  if (isReadable(target, tally.text.slice(member.value.start, member.value.end)) || isLenient(member.key))
    return undefined
  tally.reasons |= target === 'timestamp' ? SLOW.TIMESTAMP : target === 'log_level' ? SLOW.LEVEL : SLOW.OTHER
  return `${target}_raw`
}

/** A log type in other letters than small ones, in small ones: `AUDIT` is no less evidence than `audit`. */
function respelled(tally: Tally, member: JsonMember, trust: number): string | undefined {
  if (targetOf(member.key) !== 'log_type' || (trustBit('log_type') & trust) !== 0) return undefined
  const raw = tally.text.slice(member.value.start, member.value.end)
  const small = raw.toLowerCase()
  if (small === raw || !isReadable('log_type', small)) return undefined
  tally.reasons |= SLOW.OTHER
  return small
}

/** Members of a cleaned root object, in order: each one's text and value text. */
export interface CleanMember {
  readonly key: string
  readonly text: string
  readonly value: string
}

/** The root object's members as they are kept: duplicates dropped, unreadable ones renamed, deep values flattened. */
function cleanMembers(tally: Tally, root: JsonNode, trust: number): CleanMember[] {
  const members: CleanMember[] = []
  const keys = new Set<string>()
  for (const member of firstMembers(tally, root.members)) {
    const small = respelled(tally, member, trust)
    const rawName = small === undefined ? renamed(tally, member, trust) : undefined
    const key = rawName ?? member.key
    if (keys.has(key)) {
      tally.dropped++
      continue
    }
    keys.add(key)
    if (small !== undefined) {
      members.push({ key, text: `"log_type":${small}`, value: small })
      continue
    }
    const text = renderMember(
      tally,
      member,
      2,
      rawName === undefined ? keyText(tally, member) : `"${rawName}"`,
    )
    members.push({ key, text, value: renderValue(tally, member.value, 2) })
  }
  return members
}

export interface CleanText {
  readonly text: string
  /** undefined: the text is no JSON object. */
  readonly members: readonly CleanMember[] | undefined
  readonly reasons: number
  readonly dropped: number
}

/** Decodes (an invalid sequence becomes U+FFFD, as the WHATWG decoder does it) and cleans. `trust`: TRUST bits. */
export function cleanText(content: Uint8Array, trust: number): CleanText {
  let text: string
  let reasons = 0
  try {
    text = strict.decode(content)
  } catch {
    text = lenient.decode(content)
    reasons = SLOW.UTF8
  }
  const root = text.includes('\n') ? undefined : parseObject(text)
  if (root === undefined) return { text, members: undefined, reasons, dropped: 0 }
  const tally: Tally = { text, reasons, dropped: 0 }
  const members = cleanMembers(tally, root, trust)
  return { text, members, reasons: tally.reasons, dropped: tally.dropped }
}

/** Content of a SLOW entry → bytes that scan without being SLOW (with FLAG.CLEANED preset). */
export function cleanRecord(content: Uint8Array, trust: number): Cleaned {
  const { text, members, reasons, dropped } = cleanText(content, trust)
  const json = members !== undefined
  const clean = json ? `{${members.map((member) => member.text).join(',')}}` : text
  return { bytes: encoder.encode(clean), json, reasons, dropped }
}
