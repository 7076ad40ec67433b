// A JSON body as lines: the same elements that JSON.parse finds, and a refusal where it refuses the array itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { elementsToLines } from '../../actors/sources/http/elements.js'

test('every element of any JSON array is one line with the same value', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.constantFrom(0, 1, '\t', '\r\n '),
      (values, space) => {
        const text = JSON.stringify(values, null, space).replaceAll(
          '\n',
          typeof space === 'string' ? space : '\n',
        )
        const body = Buffer.from(text)
        assert.equal(elementsToLines(body), undefined, text)
        const lines = body
          .toString()
          .split('\n')
          .filter((line) => line.trim() !== '')
        assert.deepEqual(
          lines.map((line) => JSON.parse(line)),
          JSON.parse(text),
        )
      },
    ),
  )
})

test('a body of any bytes never throws, and keeps its length', () => {
  const parts = fc.constantFrom('[', ']', '{', '}', ',', '"', '\\', ':', '1', '\n', ' ', 'x', '\ufeff')
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('')
      const body = Buffer.from(text)
      const fault = elementsToLines(body)
      let valid = true
      try {
        const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''))
        valid = typeof value === 'object' && value !== null
      } catch {
        valid = false
      }
      // What JSON.parse takes is taken; what is taken beyond that has sound brackets and becomes text records.
      if (valid) assert.equal(fault, undefined, text)
      if (fault !== undefined) assert.ok(fault.offset >= 0 && fault.offset <= body.length)
    }),
    { numRuns: 2000 },
  )
})
