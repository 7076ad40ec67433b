// Plans of faults: a seed that failed has to fail again, so the same seed must give the same plan, and all faults must come up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BACKEND_FAULTS } from './backend-faults.js'
import { makePlan, type PlanOptions, planText, SURGERIES } from './plan.js'
import { NETWORK_MODES } from './proxy.js'

const options = (seed: number): PlanOptions => ({
  seed,
  durationMs: 60_000,
  backends: 'stand-ins',
  nats: true,
})
const MANY = 200

test('the same seed gives the same plan, another seed another one', () => {
  for (let seed = 0; seed < 20; seed++)
    assert.equal(planText(makePlan(options(seed))), planText(makePlan(options(seed))))
  const texts = new Set(Array.from({ length: MANY }, (_, seed) => planText(makePlan(options(seed)))))
  assert.equal(texts.size, MANY)
})

test('every kind of fault comes up, each in time and on a node that is there', () => {
  const plans = Array.from({ length: MANY }, (_, seed) => makePlan(options(seed)))
  const seen = new Set<string>()
  for (const { shape, faults, durationMs } of plans) {
    assert.ok(faults.length > 20)
    for (const fault of faults) {
      assert.ok(fault.atMs > 0 && fault.atMs < durationMs && fault.node < shape.nodes)
      seen.add(fault.kind)
      if (fault.kind === 'kill') seen.add(`kill ${fault.surgery}`)
      if (fault.kind === 'network') seen.add(`network ${fault.mode}`)
      if (fault.kind === 'backend') seen.add(`${fault.backend} ${fault.fault}`)
    }
  }
  const wanted = [
    ...['terminate', 'thread', 'freeze', 'disk_full', 'disk_refuses', 'descriptors', 'clock'],
    ...['rotation', 'burst', 'nats'],
    ...SURGERIES.map((surgery) => `kill ${surgery}`),
    ...NETWORK_MODES.map((mode) => `network ${mode}`),
    ...BACKEND_FAULTS.es.map(({ name }) => `es ${name}`),
    ...BACKEND_FAULTS.loki.map(({ name }) => `loki ${name}`),
  ]
  assert.deepEqual(
    wanted.filter((each) => !seen.has(each)),
    [],
  )
})

test('against real servers nothing is planned that only a stand-in can do', () => {
  for (let seed = 0; seed < MANY; seed++) {
    const { faults } = makePlan({ ...options(seed), backends: 'real', nats: false })
    assert.ok(faults.every(({ kind }) => kind !== 'backend' && kind !== 'nats'))
  }
})
