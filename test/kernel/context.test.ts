// Contexts: cells are bounded, come back, and drop what does not fit instead of overflowing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTEXT_CELL_BYTES, CONTEXT_WORD } from '../../kernel/context.js'
import { TRUST } from '../../kernel/table.js'
import { CONTEXTS, smallScanner } from './bench.js'

const [fields] = CONTEXTS
assert.ok(fields !== undefined)
const { contexts, kernel } = smallScanner()

test('all cells in use is an error; a released one can be had again', () => {
  const cells = Array.from({ length: contexts.capacity }, (_, id) => contexts.render({ ...fields, id }).ptr)
  assert.equal(new Set(cells).size, contexts.capacity)
  assert.throws(() => contexts.render(fields), { code: 'kernel.contexts' })
  for (const ptr of cells) contexts.release(ptr)
  contexts.release(cells[0] ?? 0)
  assert.equal(contexts.used(), 0)
  const again = Array.from({ length: contexts.capacity }, (_, id) => contexts.render({ ...fields, id }).ptr)
  assert.equal(new Set(again).size, contexts.capacity)
  for (const ptr of again) contexts.release(ptr)
})

test('labels that do not fit are dropped by name, and the neighbour stays whole', () => {
  const left = contexts.render(fields)
  const before = kernel.u8.slice(left.ptr, left.ptr + CONTEXT_CELL_BYTES)
  const labels = Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`l${n}`, 'v'.repeat(1000)]))
  const right = contexts.render({ ...fields, labels })
  assert.deepEqual(right.droppedLabels, ['l3', 'l4', 'l5'])
  assert.deepEqual(kernel.u8.slice(left.ptr, left.ptr + CONTEXT_CELL_BYTES), before)
  contexts.release(left.ptr)
  contexts.release(right.ptr)
})

test('names too long for a cell are an error and take no cell', () => {
  assert.throws(() => contexts.render({ ...fields, service_name: 's'.repeat(5000) }), {
    code: 'kernel.context',
  })
  assert.equal(contexts.used(), 0)
})

test('a context is rendered over an old one in place', () => {
  const { ptr } = contexts.render(fields)
  assert.equal(contexts.render({ ...fields, trust: 0, labels: {} }, ptr).ptr, ptr)
  assert.equal(kernel.u32[ptr / 4 + CONTEXT_WORD.TRUST], TRUST.CLUSTER_ID)
  assert.equal(contexts.used(), 1)
  contexts.release(ptr)
})
