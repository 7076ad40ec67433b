// Turns a JSON body into lines, in place and without parsing it: each element of an array, or the one object, becomes a line.

export interface BodyFault {
  /** Byte offset in the (decompressed) body. */
  readonly offset: number
  readonly problem: string
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const TAB = 0x09
const OPEN = { array: 0x5b, object: 0x7b } as const
const CLOSE = { array: 0x5d, object: 0x7d } as const
/** Deeper bodies are refused; the kernel turns values deeper than 100 into strings anyway. */
const DEPTH_MAX = 1000

/**
 * Only what separates the elements is checked: brackets, strings, commas. An element that is not valid JSON inside stays a line,
 * and becomes a text record. Raw newlines become spaces, so that an element is one line whatever it holds.
 */
export function elementsToLines(body: Buffer): BodyFault | undefined {
  const start = skipBlank(body, skipByteOrderMark(body))
  const first = body[start]
  if (first === OPEN.object) return valueAlone(body, start)
  if (first !== OPEN.array) return { offset: start, problem: 'expected an array of objects or one object' }
  return arrayElements(body, start)
}

function valueAlone(body: Buffer, start: number): BodyFault | undefined {
  const end = endOfValue(body, start)
  if (typeof end !== 'number') return end
  const after = skipBlank(body, end)
  if (after < body.length) return { offset: after, problem: 'unexpected bytes after the object' }
  body.fill(SPACE, end)
  return undefined
}

function arrayElements(body: Buffer, start: number): BodyFault | undefined {
  body[start] = SPACE
  let at = skipBlank(body, start + 1)
  if (body[at] !== CLOSE.array) {
    for (;;) {
      if (at >= body.length) return { offset: at, problem: 'the array does not end' }
      const end = endOfValue(body, at)
      if (typeof end !== 'number') return end
      if (end === at) return { offset: at, problem: 'expected an element' }
      at = skipBlank(body, end)
      const separator = body[at]
      if (separator === CLOSE.array) break
      if (separator !== COMMA) return { offset: at, problem: 'expected , or ] after an element' }
      body[at] = NEWLINE
      at = skipBlank(body, at + 1)
    }
  }
  body[at] = NEWLINE
  const after = skipBlank(body, at + 1)
  return after < body.length ? { offset: after, problem: 'unexpected bytes after the array' } : undefined
}

/** The offset after the value that begins at `start`; the same offset when there is none. */
function endOfValue(body: Buffer, start: number): number | BodyFault {
  const open: number[] = []
  for (let at = start; at < body.length; at++) {
    const byte = body[at] as number
    if (byte === QUOTE) {
      at = endOfString(body, at)
      if (at >= body.length) return { offset: start, problem: 'a string of this element does not end' }
      if (open.length === 0) return at + 1
    } else if (byte === OPEN.object || byte === OPEN.array) {
      if (open.push(byte === OPEN.object ? CLOSE.object : CLOSE.array) > DEPTH_MAX) {
        return { offset: at, problem: `nested deeper than ${DEPTH_MAX}` }
      }
    } else if (byte === CLOSE.object || byte === CLOSE.array) {
      if (open.length === 0) return at
      if (open.pop() !== byte) return { offset: at, problem: `unexpected ${String.fromCharCode(byte)}` }
      if (open.length === 0) return at + 1
    } else if (open.length === 0 && (byte === COMMA || byte <= SPACE)) return at
    else if (byte === NEWLINE || byte === RETURN) body[at] = SPACE
  }
  return open.length === 0 ? body.length : { offset: start, problem: 'this element does not end' }
}

/** The offset of the closing quote; the body's length when there is none. */
function endOfString(body: Buffer, start: number): number {
  for (let at = start + 1; at < body.length; at++) {
    const byte = body[at]
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at++
    if (body[at] === NEWLINE || body[at] === RETURN) body[at] = SPACE
  }
  return body.length
}

/** Passes over white space, and turns newlines in it to spaces. */
function skipBlank(body: Buffer, from: number): number {
  let at = from
  for (; at < body.length; at++) {
    const byte = body[at]
    if (byte === NEWLINE || byte === RETURN) body[at] = SPACE
    else if (byte !== SPACE && byte !== TAB) break
  }
  return at
}

function skipByteOrderMark(body: Buffer): number {
  if (body[0] !== 0xef || body[1] !== 0xbb || body[2] !== 0xbf) return 0
  body.fill(SPACE, 0, 3)
  return 3
}
