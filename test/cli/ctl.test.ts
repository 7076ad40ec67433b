// What `millrace ctl --all` makes of many nodes' answers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeAnswer } from '../../cli/ctl/ask.js'
import { meant } from '../../cli/ctl/verbs.js'

const has: NodeAnswer = { node: 'b', answer: { ok: true, result: {} } }
const hasNot = (node: string): NodeAnswer => refusal(node, 'capture.unknown_pod')
const refusal = (node: string, code: string): NodeAnswer => ({
  node,
  answer: { ok: false, code, message: code },
})

test('nodes without the pod of a capture are no failure where another has it, and one is where none has', () => {
  const silent = refusal('d', 'node.unreachable')
  assert.deepEqual(meant([hasNot('a'), has, hasNot('c')]), [has])
  assert.deepEqual(meant([hasNot('a'), has, silent]), [has, silent])
  assert.deepEqual(meant([hasNot('a'), hasNot('c')]), [hasNot('a')])
  assert.deepEqual(meant([silent]), [silent])
})
