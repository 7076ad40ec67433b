// Plans of faults: a seed that failed has to fail again, so the same seed must give the same plan, and all faults must come up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BACKEND_FAULTS } from './backend-faults.js'
import { DISK_FAILURES } from './disk-fault.js'
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
    seen.add(`${shape.nodes} nodes, ${shape.buffer}`)
    for (const fault of faults) {
      assert.ok(fault.atMs > 0 && fault.atMs < durationMs && fault.node < shape.nodes)
      seen.add(fault.kind)
      if (fault.kind === 'disk_fails') seen.add(`disk_fails ${fault.at}`)
      if (fault.kind === 'kill') seen.add(`kill ${fault.surgery}`)
      if (fault.kind === 'network') seen.add(`network ${fault.backend} ${fault.mode}`)
      if (fault.kind === 'backend') seen.add(`${fault.backend} ${fault.fault}`)
    }
  }
  const wanted = [
    ...['terminate', 'thread', 'freeze', 'disk_full', 'disk_refuses', 'descriptors', 'clock'],
    ...['rotation', 'burst', 'nats'],
    ...[1, 2, 3].flatMap((nodes) => [`${nodes} nodes, local`, `${nodes} nodes, jetstream`]),
    ...SURGERIES.map((surgery) => `kill ${surgery}`),
    ...DISK_FAILURES.map((at) => `disk_fails ${at}`),
    ...['es', 'loki', 'nats'].flatMap((far) => NETWORK_MODES.map((mode) => `network ${far} ${mode}`)),
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
    assert.ok(faults.every((fault) => fault.kind !== 'backend' && fault.kind !== 'nats'))
  }
})
