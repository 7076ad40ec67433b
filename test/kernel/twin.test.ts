// The kernel agrees with the twin, byte for byte, on generated lines of every sort.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FLAG, FORMAT_CRI, FORMAT_LINES } from '../../kernel/table.js'
import { splitCri, type TwinMeta } from '../../kernel/twin.js'
import { content, criLine } from './arbitraries.js'
import { jsonObject } from './arbitrary-json.js'
import { compareWithTwin, CONTEXTS, type Expected, NOW_MS, smallScanner } from './bench.js'

const scanner = smallScanner()
// What lies behind the input must not matter: quotes would end a string that ran over.
scanner.kernel.u8.fill(
  0x22,
  scanner.inputPtr + scanner.input.length,
  scanner.inputPtr + scanner.input.length + 64,
)
const contexts = fc.constantFrom(...CONTEXTS)
const RUNS = 400

function putLines(lines: readonly Uint8Array[], from: number, lastNewline: boolean): number {
  let at = from
  lines.forEach((line, n) => {
    scanner.input.set(line, at)
    at += line.length
    if (n < lines.length - 1 || lastNewline) scanner.input[at++] = 10
  })
  return at
}

function resetWhenFull(): void {
  if (!scanner.needsReset()) return
  scanner.beginFrame()
  scanner.reset()
}

test('a plain line comes out as the twin says, at every alignment', () => {
  const lines = fc.array(content, { minLength: 1, maxLength: 12 })
  const property = fc.property(lines, fc.nat(64), contexts, (contents, from, context) => {
    resetWhenFull()
    const end = putLines(contents, from, true)
    const [start, stop] = [scanner.inputPtr + from, scanner.inputPtr + end]
    const count = scanner.scanLines(start, stop, FORMAT_LINES, context.trust)
    assert.equal(count, contents.length)
    assert.equal(scanner.resume(), stop)
    const meta: TwinMeta = { stderr: false, nowMs: NOW_MS }
    compareWithTwin(
      scanner,
      count,
      context,
      contents.map((bytes) => ({ content: bytes, meta })),
    )
  })
  fc.assert(property, { numRuns: RUNS })
})

test('a CRI line is split and comes out as the twin says', () => {
  const property = fc.property(
    fc.array(criLine, { minLength: 1, maxLength: 12 }),
    fc.nat(64),
    contexts,
    (lines, from, context) => {
      resetWhenFull()
      const end = putLines(lines, from, true)
      const count = scanner.scanLines(
        scanner.inputPtr + from,
        scanner.inputPtr + end,
        FORMAT_CRI,
        context.trust,
      )
      assert.equal(count, lines.length)
      const expected = lines.map((line, record): Expected => {
        const bytes = line.at(-1) === 13 ? line.subarray(0, -1) : line
        const cri = splitCri(Buffer.from(bytes).toString('latin1'))
        const flags = scanner.flags(record)
        assert.equal((flags & FLAG.CRI_MALFORMED) !== 0, cri === undefined)
        if (cri === undefined)
          return { content: line, meta: { stderr: false, criMalformed: true, nowMs: NOW_MS } }
        assert.equal((flags & FLAG.PARTIAL) !== 0, cri.partial)
        const { ns, digits, stderr } = cri
        // The line's own \r is off already: one more must stay.
        const rest = Uint8Array.from([...bytes.subarray(cri.contentAt), 13])
        return { content: rest, meta: { stderr, criTime: { ns, digits }, nowMs: NOW_MS } }
      })
      compareWithTwin(scanner, count, context, expected)
    },
  )
  fc.assert(property, { numRuns: RUNS })
})

test('a span, with newlines inside or at the very end of the input region, comes out as the twin says', () => {
  const spans = fc.array(fc.tuple(content, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 6 })
  const property = fc.property(spans, contexts, (contents, context) => {
    resetWhenFull()
    scanner.beginSpans()
    let at = scanner.input.length
    const expected = contents.map(([bytes, truncated, newline], record): Expected => {
      const content = newline ? Uint8Array.from([...bytes, 10, ...bytes]) : bytes
      at -= content.length
      scanner.input.set(content, at)
      const flags = (truncated ? FLAG.TRUNCATED : 0) | FLAG.STDERR | FLAG.HAS_CRI_TIME
      scanner.setSpan(record, scanner.inputPtr + at, scanner.inputPtr + at + content.length, flags)
      scanner.setTs(record, 1_700_000_000_123_456_789n, 9)
      return {
        content,
        meta: {
          stderr: true,
          truncated,
          criTime: { ns: 1_700_000_000_123_456_789n, digits: 9 },
          nowMs: NOW_MS,
        },
      }
    })
    assert.equal(scanner.scanSpans(0, contents.length, context.trust), contents.length)
    compareWithTwin(scanner, contents.length, context, expected)
  })
  fc.assert(property, { numRuns: RUNS })
})

test('what JSON.parse takes as an object is JSON for the kernel, and nothing else is', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const isObject = (bytes: Uint8Array): boolean | undefined => {
    let text: string
    try {
      text = decoder.decode(bytes)
    } catch {
      return undefined
    }
    try {
      const value: unknown = JSON.parse(text)
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    } catch {
      return false
    }
  }
  const contents = fc.oneof(
    content,
    jsonObject.map((text) => new TextEncoder().encode(text)),
  )
  fc.assert(
    fc.property(contents, fc.nat(31), (bytes, from) => {
      const expected = isObject(bytes)
      if (expected === undefined) return
      scanner.beginSpans()
      scanner.input.set(bytes, from)
      scanner.setSpan(0, scanner.inputPtr + from, scanner.inputPtr + from + bytes.length, 0)
      scanner.scanSpans(0, 1, 255)
      assert.equal((scanner.flags(0) & FLAG.JSON) !== 0, expected)
    }),
    { numRuns: 2000 },
  )
})
