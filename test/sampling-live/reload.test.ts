// New settings in a running node: swapped whole, under load and idle, with an answer; bad ones change nothing; threads that die go on by them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MillraceError } from '../../protocol/errors.js'
import { until } from '../node/scene.js'
import { startSamplingNode } from './node.js'

const only = (service: 'a' | 'b') => ({
  tiers: { error: 1 },
  info: { services: { a: service === 'a' ? 1 : 0, b: service === 'b' ? 1 : 0 } },
  // Far from the services in the text: a text of two halves would hold one of each.
  rules: Array.from({ length: 20 }, (_, n) => ({
    when: `service_name = none${n} AND namespace = ${service}`,
    keep: 0.5,
  })),
  debug_services: [service],
})

test('a thousand reloads under load: of two neighbours one is kept, but where a reload comes between them', async (t) => {
  const scene = await startSamplingNode(only('a'))
  t.after(scene.close)
  const pair = (n: number) => ({ level: 'info', service_name: n % 2 === 0 ? 'a' : 'b' })
  let reloads = 0
  const waits: number[] = []
  while (reloads < 1000) {
    scene.write(100, pair)
    for (let n = 0; n < 10; n++) {
      const { appliedMs } = await scene.node.sampling.reload(only(++reloads % 2 === 0 ? 'a' : 'b'))
      waits.push(appliedMs)
    }
  }
  scene.write(2, () => ({ level: 'error', last: true }))
  await until(
    () => scene.stored().filter((record) => record.last === true).length === 2,
    () => 'the last records did not arrive',
  )
  const kept = new Set(scene.stored().flatMap((record) => (record.last === true ? [] : [record.n])))
  const pairs = Array.from(
    { length: 5000 },
    (_, at) => Number(kept.has(2 * at)) + Number(kept.has(2 * at + 1)),
  )
  const torn = pairs.filter((count) => count !== 1).length
  // A reload falls between two neighbours at most when a batch ends there: far more often than not all pairs are whole.
  assert.ok(torn <= 100, `${torn} pairs of 5,000 in which not one of two was kept`)
  const shares = pairs.length - torn
  assert.ok(shares > 0 && kept.size > 4800 && kept.size < 5200, `${kept.size} kept`)
  assert.equal(scene.node.status().sampling?.reloads, 1000)
  assert.equal(waits.length, 1000)
})

test('a bad section changes nothing, and the node says why', async (t) => {
  const scene = await startSamplingNode(only('a'))
  t.after(scene.close)
  const refusedWith = (section: unknown, reason: RegExp) =>
    assert.rejects(scene.node.sampling.reload(section), (error) => {
      assert.ok(error instanceof MillraceError)
      assert.equal(error.code, 'config.sampling')
      assert.match(error.message, reason)
      return true
    })
  const before = scene.node.sampling.status().revision
  await refusedWith(
    { rules: [{ when: 'error_rate > 5' }] },
    /sampling\.rules\[0\]\.when: column 14: expected/,
  )
  await refusedWith({ tier: {} }, /sampling\.tier: unknown key; did you mean tiers\?/)
  await refusedWith({ tiers: { info: 2 } }, /sampling\.tiers\.info: got 2, expected a rate from 0 to 1/)
  await refusedWith('all', /expected a map/)
  await refusedWith(
    { debug_services: Array.from({ length: 20_000 }, (_, n) => `a-rather-long-name-of-a-service-${n}`) },
    /exceeds 262144 bytes/,
  )
  const status = scene.node.status().sampling
  assert.equal(status?.revision, before)
  assert.match(status?.refused?.reason ?? '', /exceeds/)
  assert.match(await scene.node.metrics(), /log_pipeline_sampling_reloads_total\{outcome="refused"\} 5/)
  scene.write(10, (n) => ({ level: 'info', service_name: n % 2 === 0 ? 'a' : 'b' }))
  await until(
    () => scene.count() === 5,
    () => `${scene.count()} stored`,
  )
})

test('threads that die go on with settings, boosts and rates as they were', async (t) => {
  const scene = await startSamplingNode({ tiers: { info: 0, debug: 0 } })
  t.after(scene.close)
  await scene.node.sampling.reload({ tiers: { info: 0, debug: 0, warn: 1 } })
  const untilMs = Date.now() + 60_000
  assert.deepEqual(await scene.node.sampling.boost({ service: 'a' }, untilMs), { untilMs })
  await until(
    () => scene.node.sampling.status().boosts.length === 1,
    () => 'the boost is not in force',
  )
  const restarted = async (group: string) => {
    const before = scene.node.status().groups[group]?.restarts ?? 0
    scene.node.kill(group)
    await until(
      () => {
        const groups = scene.node.status().groups
        return (groups[group]?.restarts ?? 0) > before && Object.values(groups).every(({ up }) => up)
      },
      () => `${group} did not come back`,
    )
  }
  const service = (n: number) => ({ level: 'debug', service_name: n % 2 === 0 ? 'a' : 'b' })
  for (const [at, actor] of ['sample', 'journal', 'traffic'].entries()) {
    const group = scene.node.status().actors[actor]?.group ?? ''
    scene.write(10, service)
    await until(
      () => scene.count() === 10 * at + 5,
      () => `${scene.count()} stored before ${group} died`,
    )
    await restarted(group)
    scene.write(10, service)
    await until(
      () => scene.count() === 10 * at + 10,
      () => `${scene.count()} stored after ${group} died`,
    )
  }
  await scene.node.sampling.reload({ tiers: { info: 1 } })
  assert.deepEqual(
    [...new Set(scene.stored().map((record) => record.service_name))],
    ['a'],
    'the boost outlived both threads',
  )
  await assert.rejects(scene.node.sampling.boost({}, Date.now() + 1000), /name a service/)
  await assert.rejects(scene.node.sampling.boost({ pod: 'x' }, 1), /is past/)
  assert.deepEqual(await scene.node.sampling.boost({ service: 'a' }, 0), { ended: true })
  assert.deepEqual(await scene.node.sampling.boost({ service: 'a' }, 0), { ended: false })
  for (let n = 0; n < 256; n++) await scene.node.sampling.boost({ service: `s${n}` }, untilMs)
  await assert.rejects(scene.node.sampling.boost({ pod: 'x' }, untilMs), {
    code: 'sampling.boost',
    message: /256 are in force already; wait for one to end, or end one with --for 0s/,
  })
})
