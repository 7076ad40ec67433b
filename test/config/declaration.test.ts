// Guards what is made from the schema: value texts, the option table, the JSON Schema, the starters, the effective configuration.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { STARTER_KINDS, starterConfig } from '../../cli/starter-config.js'
import { configSchema } from '../../protocol/config/schema.js'
import { formatBytes, formatDuration, parseBytes, parseDurationMs } from '../../protocol/config/units.js'
import { effectiveConfig } from '../../runtime/config/effective.js'
import { configJsonSchema } from '../../runtime/config/json-schema.js'
import { optionTable } from '../../runtime/config/option-table.js'
import { configText, parse } from './config-text.js'

test('a duration or a size that is printed reads back as the same value', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 50 }), (value) => {
      assert.equal(parseDurationMs(formatDuration(value)), value)
      assert.equal(parseBytes(formatBytes(value)), value)
    }),
  )
  assert.deepEqual(
    [
      parseDurationMs('1.5s'),
      parseDurationMs('5'),
      parseBytes('1MB'),
      parseBytes('1 mib'),
      parseBytes('1MiX'),
    ],
    [1500, undefined, 1_000_000, 1048576, undefined],
  )
})

test('the README holds exactly the option table that the schema gives', () => {
  const readme = new URL('../../../README.md', import.meta.url)
  const found = /<!-- options -->\n([\s\S]*?)\n?<!-- \/options -->/.exec(readFileSync(readme, 'utf8'))
  assert.ok(found, 'README.md lacks the markers <!-- options --> and <!-- /options -->')
  assert.equal(found[1]?.trim(), optionTable(), 'run: millrace validate --options')
})

test('every option in the table has a meaning and no text that Markdown would swallow', () => {
  const rows = optionTable()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  assert.ok(rows.length > 80)
  for (const row of rows) {
    assert.doesNotMatch(row, /\|\s+\|$/, row)
    assert.doesNotMatch(row.replace(/`[^`]*`/g, ''), /<\w/, row)
  }
})

test('the JSON Schema knows every part of the file and refuses other keys', () => {
  const schema = configJsonSchema()
  assert.deepEqual(Object.keys(schema.properties ?? {}), Object.keys(configSchema.shape))
  assert.equal(schema.additionalProperties, false)
  const text = JSON.stringify(schema)
  assert.ok(text.includes('"default":"64MiB"'))
  // Which sections a node must have depends on its role: that is checked beyond the schema.
  assert.equal(schema.required, undefined)
})

test('every starter is valid without any variable set', () => {
  for (const kind of STARTER_KINDS) {
    const { config, warnings } = parse(starterConfig(kind))
    assert.deepEqual(warnings, [])
    assert.deepEqual(Object.keys(config.backends), ['es', 'loki'])
  }
})

test('the effective configuration hides secrets and can be read again', () => {
  const { config } = parse(
    configText({
      backend:
        'type: elasticsearch, url: http://x, username: u, password: hunter22, mappings: { token: { type: keyword } }',
    }),
  )
  const shown = JSON.stringify(effectiveConfig(config))
  assert.ok(!shown.includes('hunter22'))
  assert.ok(shown.includes('"segment_bytes":"64MiB"'))
  assert.ok(shown.includes('"token":{"type":"keyword"}'))
  assert.deepEqual(effectiveConfig(parse(shown).config), JSON.parse(shown))
})
