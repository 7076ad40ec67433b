// The largest frame that the configuration allows is one that every reader takes: else a node would fail at its own frames for ever.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameRawBytes } from '../../actors/ingest-memory.js'
import { FRAME_BYTES_MAX } from '../../protocol/frame.js'
import { records } from '../../protocol/config/node.js'

const HEADER_BYTES = 1024 * 1024

test('the largest frame_bytes and line_bytes_max fit into a frame, with the header and all escapes', () => {
  const largest = records.parse({ frame_bytes: '4MiB', line_bytes_max: '1MiB' })
  assert.ok(frameRawBytes(largest) + HEADER_BYTES <= FRAME_BYTES_MAX)
  assert.throws(() => records.parse({ frame_bytes: 4 * 1024 * 1024 + 1 }))
  assert.throws(() => records.parse({ line_bytes_max: 1024 * 1024 + 1 }))
})
