// Guards the sums over threads: nothing is counted twice, and nothing is lost when a thread restarts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMetrics } from '../../runtime/metrics.js'
import { createMetricsMerge } from '../../runtime/metrics-merge.js'

test('counters, gauges and histograms of two threads are summed by their labels', async () => {
  const [one, two, merge] = [createMetrics(), createMetrics(), createMetricsMerge()]
  one.add('write_records_total', 3, { backend: 'es' })
  two.add('write_records_total', 4, { backend: 'es' })
  two.add('write_records_total', 5, { backend: 'lo"ki' })
  one.set('journal_bytes', 100)
  one.observe('write_seconds', 0.02, { backend: 'es' })
  two.observe('write_seconds', 2, { backend: 'es' })
  merge.update('a', await one.snapshot())
  merge.update('b', structuredClone(await two.snapshot()))
  assert.equal(merge.value('write_records_total', { backend: 'es' }), 7)
  assert.equal(merge.value('log_pipeline_write_records_total'), 12)
  assert.deepEqual(merge.byLabel('write_records_total', 'backend'), { es: 7, 'lo"ki': 5 })
  assert.equal(merge.value('journal_bytes'), 100)
  assert.equal(merge.value('no_such_metric'), 0)
  const text = await merge.text()
  assert.match(text, /^# TYPE log_pipeline_write_records_total counter$/m)
  assert.match(text, /^log_pipeline_write_records_total\{backend="es"\} 7$/m)
  assert.match(text, /^log_pipeline_write_records_total\{backend="lo\\"ki"\} 5$/m)
  assert.match(text, /^log_pipeline_write_seconds_bucket\{le="0\.03",backend="es"\} 1$/m)
  assert.match(text, /^log_pipeline_write_seconds_bucket\{le="\+Inf",backend="es"\} 2$/m)
  assert.match(text, /^log_pipeline_write_seconds_sum\{backend="es"\} 2\.02$/m)
  assert.match(text, /^log_pipeline_write_seconds_count\{backend="es"\} 2$/m)
})

test('what a gone thread counted stays, its gauges go', async () => {
  const merge = createMetricsMerge()
  for (let start = 1; start <= 3; start++) {
    const metrics = createMetrics()
    metrics.add('records_read_total', 10, { source: 's' })
    metrics.set('files_open', start, { source: 's' })
    metrics.observe('journal_fsync_seconds', 0.002)
    merge.update('ingest', await metrics.snapshot())
    assert.equal(merge.value('records_read_total'), 10 * start)
    assert.equal(merge.value('files_open'), start)
    merge.retire('ingest')
    assert.equal(merge.value('files_open'), 0)
  }
  merge.retire('ingest')
  assert.equal(merge.value('records_read_total', { source: 's' }), 30)
  assert.match(await merge.text(), /log_pipeline_journal_fsync_seconds_count 3$/m)
})

test('sums never fall, in whatever order threads report and restart', async () => {
  const step = fc.record({
    thread: fc.constantFrom('a', 'b', 'c'),
    action: fc.constantFrom('count', 'report', 'restart'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const merge = createMetricsMerge()
      const threads = new Map(['a', 'b', 'c'].map((name) => [name, createMetrics()]))
      let reported = 0
      for (const { thread, action } of steps) {
        const metrics = threads.get(thread)
        if (action === 'count') metrics?.add('frames_sealed_total', 1)
        if (action === 'report') merge.update(thread, (await metrics?.snapshot()) ?? [])
        if (action === 'restart') {
          merge.retire(thread)
          threads.set(thread, createMetrics())
        }
        const now = merge.value('frames_sealed_total')
        assert.ok(now >= reported)
        reported = now
      }
    }),
    { numRuns: 50 },
  )
})

test('before the first report the text is empty and valid', async () => {
  assert.equal((await createMetricsMerge().text()).trim(), '')
})
