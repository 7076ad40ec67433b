// Names that carry meaning: pod folders, log files, rotated files, workloads.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { byAge, rotatedNames } from '../../actors/sources/file/rotated-name.js'
import { containerLogOf } from '../../actors/sources/kubernetes/find.js'
import { parseLogName, parsePodFolder } from '../../actors/sources/kubernetes/pod-path.js'
import { serviceNameOf } from '../../actors/sources/kubernetes/service-name.js'

test('the workload is taken out of the pod name, and nothing of a name that was not generated', () => {
  const service = (podName: string): string =>
    serviceNameOf({ podName, containerName: 'container', nodeName: 'worker-7' })
  assert.equal(service('payment-api-7d9c5b8f6d-x2k4p'), 'payment-api')
  assert.equal(service('fluent-q7x2z'), 'fluent')
  assert.equal(service('kafka-12'), 'kafka')
  assert.equal(service('report-28412340-jw9xk'), 'report')
  assert.equal(service('batch-3-jw9xk'), 'batch')
  assert.equal(service('kube-proxy-worker-7'), 'kube-proxy')
  assert.equal(service('my-proxy'), 'container')
  assert.equal(service('solo'), 'container')
  const labels = { app: 'b', 'app.kubernetes.io/name': 'a' }
  assert.equal(serviceNameOf({ podName: 'x', containerName: 'c', nodeName: 'n', labels }), 'a')
})

test('a folder that the kubelet would not make is no pod', () => {
  assert.deepEqual(parsePodFolder('shop_cart-0_0f1e-2d'), {
    namespace: 'shop',
    podName: 'cart-0',
    podUid: '0f1e-2d',
  })
  for (const name of [
    'shop_cart',
    'a_b_c_d',
    '.._b_c',
    'a_.._c',
    'a_b_',
    'A_b_c',
    'a_b..c_d',
    'a_b/c_d',
    '_b_c',
  ]) {
    assert.equal(parsePodFolder(name), undefined, name)
  }
  fc.assert(
    fc.property(fc.string(), (name) => {
      const pod = parsePodFolder(name)
      if (pod !== undefined) assert.equal(`${pod.namespace}_${pod.podName}_${pod.podUid}`, name)
    }),
  )
})

test('only finished logs are logs', () => {
  assert.deepEqual(parseLogName('0.log'), { restart: '0', gz: false })
  assert.deepEqual(parseLogName('12.log.20261123-101112.gz'), {
    restart: '12',
    rotatedAt: '20261123-101112',
    gz: true,
  })
  for (const name of ['0.log.tmp', '0.log.20261123-101112.tmp', 'x.log', '0.log.gz', '0.log.1']) {
    assert.equal(parseLogName(name), undefined, name)
  }
  assert.equal(containerLogOf('/r', '/r/a_b_c/app/3.log.20261123-101112')?.livePath, '/r/a_b_c/app/3.log')
  assert.equal(containerLogOf('/r', '/r/a_b_c/3.log'), undefined)
})

test('rotated names are read in every way that is in use, and ordered by age', () => {
  const bases = (name: string): string[] => rotatedNames(name).map(({ base }) => base)
  assert.deepEqual(bases('app.log.1'), ['app.log'])
  assert.deepEqual(bases('app.log.12.gz'), ['app.log'])
  assert.deepEqual(bases('app.log-20261123'), ['app.log'])
  assert.ok(bases('app-20261123.log.gz').includes('app.log'))
  assert.ok(bases('app-2026-11-23.log').includes('app.log'))
  assert.deepEqual(bases('app.log'), [])
  assert.deepEqual(bases('app.log.bak'), [])
  const order = (...names: string[]): string[] =>
    names
      .map((name) => ({ name, read: rotatedNames(name)[0] }))
      .sort((a, b) => (a.read && b.read ? byAge(a.read, b.read) : 0))
      .map(({ name }) => name)
  assert.deepEqual(order('a.log.2', 'a.log.10', 'a.log.1'), ['a.log.10', 'a.log.2', 'a.log.1'])
  assert.deepEqual(order('a.log-20261124', 'a.log-20261123.gz'), ['a.log-20261123.gz', 'a.log-20261124'])
})
