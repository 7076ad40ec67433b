// A stack of the bundle that names another line than the one that failed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { SourceMap, type SourceMapPayload } from 'node:module'
import { test } from 'node:test'
import { sourceOf, tableOf } from '../../bundle/line-table.js'

test('a table that says otherwise than the source map it was made of', () => {
  const file = new URL('../../cli/main.js', import.meta.url)
  const json = JSON.parse(readFileSync(`${file.pathname}.map`, 'utf8')) as SourceMapPayload
  const table = tableOf(json)
  const map = new SourceMap(json)
  let compared = 0
  for (const [at, line] of readFileSync(file, 'utf8').split('\n').entries())
    for (let column = 0; column < line.length; column++) {
      const entry = map.findEntry(at, column)
      if (!('originalSource' in entry)) continue
      const named = `${entry.originalSource}:${entry.originalLine + 1}`
      assert.equal(sourceOf(table, at + 1, column + 1), named, `line ${at + 1}, column ${column + 1}`)
      compared++
    }
  assert.ok(compared > 1000, `${compared} places compared`)
})

test('a place in the bundle before all that has a source', () => {
  const table = tableOf({ sources: ['a.ts'], mappings: ';EACA,CAAA,CACA' })
  assert.equal(sourceOf(table, 1, 1), undefined)
  assert.equal(sourceOf(table, 2, 2), undefined)
  assert.equal(sourceOf(table, 2, 3), 'a.ts:2')
  assert.equal(sourceOf(table, 2, 4), 'a.ts:2')
  assert.equal(sourceOf(table, 2, 5), 'a.ts:3')
})
