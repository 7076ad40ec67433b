// Which streams a verdict is for: those of a service, also when its name comes late, of a pod that is boosted, and of no others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBoostIndex } from '../../actors/sample/boost-index.js'
import { boostMatches } from '../../protocol/traffic.js'
import { createChain, criOrigin, openOrigin } from '../ingest/chain.js'
import { createStage } from './stage.js'

const STAMP = '2026-11-23T10:00:00.000000000Z'
const text = (count: number, record: object) =>
  Buffer.from(`${STAMP} stdout F ${JSON.stringify(record)}\n`.repeat(count))

test('a label that names the service comes after its first records, and their stream keeps the old rate and name', () => {
  const sampling = { info: { services: { early: 1, late: 0 } }, debug_services: ['late'] }
  const chain = createChain({ sampling })
  const origin = (service_name: string) =>
    criOrigin(1, { fallback: { service_name, log_type: 'app' as const } })
  let offset = 0
  const feed = (level: string): void => {
    const bytes = text(10, { level })
    chain.feed(1, bytes, { offset })
    offset += bytes.length
  }
  const kept = (): number => chain.lines().length
  openOrigin(chain, origin('early'))
  feed('info')
  feed('debug')
  chain.advance(1000)
  assert.equal(kept(), 10, 'info of early, no debug')
  openOrigin(chain, origin('late'))
  feed('info')
  feed('debug')
  chain.advance(1000)
  assert.equal(kept(), 20, 'debug of late, no info')
  assert.deepEqual(
    chain.status()?.services.map(({ service, seenPerSecond }) => [service, seenPerSecond]),
    [
      ['late', 20],
      ['early', 0],
    ],
  )
  chain.publish({ ...sampling, info: { services: { early: 0, late: 1 } }, debug_services: [] })
  feed('info')
  feed('debug')
  chain.advance(1000)
  assert.equal(kept(), 30, 'info of late')
})

test('a boost of a pod reaches its neighbours, or not all of its own streams', () => {
  const chain = createChain({ sampling: { tiers: { info: 0, debug: 0, warn: 0 } } })
  for (const id of [1, 2]) {
    const { trusted } = criOrigin(id)
    openOrigin(chain, criOrigin(id, { trusted: { ...trusted, pod_uid: `uid-${id}`, pod_name: `pod-${id}` } }))
  }
  const offsets = [0, 0, 0]
  const feed = (): void => {
    for (const id of [1, 2]) {
      for (const level of ['info', 'debug', 'warn']) {
        const bytes = text(5, { level })
        chain.feed(id, bytes, { offset: offsets[id] as number })
        offsets[id] = (offsets[id] as number) + bytes.length
      }
    }
    chain.advance(1000)
  }
  feed()
  assert.equal(chain.lines().length, 0)
  chain.send('traffic', { type: 'boost', match: { pod_uid: 'uid-2' }, untilMs: chain.nowMs() + 2500 })
  feed()
  assert.equal(chain.lines().length, 15)
  assert.ok(chain.lines().every((line) => line.includes('"pod_name":"pod-2"')))
  chain.publish({ tiers: { info: 0, debug: 0, warn: 0, error: 1 } })
  feed()
  assert.equal(chain.lines().length, 30, 'after a reload too')
  feed()
  assert.equal(chain.lines().length, 45)
  feed()
  assert.equal(chain.lines().length, 45, 'until its end')
})

test('boosts looked up by name match others than when each is compared', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const names = { namespace: name, service: name, pod: name, pod_uid: name }
  const match = fc.record(names, { requiredKeys: [] })
  const stream = fc.record(names, { requiredKeys: ['namespace', 'service'] })
  fc.assert(
    fc.property(fc.array(match, { maxLength: 6 }), stream, (matches, of) => {
      const boosts = matches.filter((each) => Object.keys(each).length > 0)
      const index = createBoostIndex(boosts.map((each) => ({ match: each, untilMs: 1 })))
      const wanted = boosts.some((each) => boostMatches(each, of))
      assert.equal(index.matches(of), wanted)
      // What says that no boost is for this pod must not hide one.
      const { namespace, service } = of
      if (!index.namesPod(of.pod, of.pod_uid)) assert.equal(index.matches({ namespace, service }), wanted)
    }),
  )
})

test('records that are not kept are counted under another reason than that of the moment in which they were dropped', async () => {
  const sampling = {
    tiers: { warn: 0 },
    info: { services: { fixed: 0 } },
    metric: 0,
    rules: [{ when: 'service_name = ruled OR status_code = 404', keep: 0 }],
  }
  const stage = createStage({ sampling })
  const dropped = () => stage.chain.counts('records_dropped_total')
  stage.feed(10, { level: 'warn' })
  stage.feed(20, { service: 'fixed' })
  stage.feed(30, { service: 'metered', log_type: 'metric' })
  stage.feed(40, { service: 'ruled' })
  stage.feed(50, { status: 404 })
  stage.feed(60, { status: 200 })
  stage.second()
  const first = { sampled_tier: 10, sampled_info_fixed: 20, sampled_metric: 30, sampled_rule: 90 }
  assert.deepEqual(await dropped(), first)
  stage.feed(5, { service: 'ruled' })
  stage.chain.publish({ ...sampling, rules: [], info: { services: { ruled: 0 } } })
  stage.feed(7, { service: 'ruled' })
  stage.second()
  assert.deepEqual(await dropped(), { ...first, sampled_info_fixed: 27, sampled_rule: 95 })
})
