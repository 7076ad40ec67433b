// A writer's pace decides how long ingest waits for it: long for one that takes its frames, shortly for one that crawls or stalls.
import assert from 'node:assert/strict'
import test from 'node:test'
import { createPace } from '../../actors/journal/pace.js'

test('a slow or stalled writer never makes ingest wait for as long as one that keeps pace', () => {
  let nowMs = 0
  const pace = createPace({ monotonic: () => nowMs })
  assert.equal(pace.waitMs(), 100)
  pace.taken(5_000_000)
  assert.equal(pace.waitMs(), 1000)
  nowMs = 600
  assert.equal(pace.waitMs(), 1000, 'the period before counts')
  nowMs = 1100
  assert.equal(pace.waitMs(), 100, 'a period without frames ends it')
  for (; nowMs < 10_000; nowMs += 100) {
    pace.taken(900_000)
    assert.equal(pace.waitMs(), 100, '9 MB/s is not the pace')
  }
})
