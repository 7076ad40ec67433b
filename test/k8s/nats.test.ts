// The configuration of NATS: peers that exist, and limits that fit the volume and each other. test/real/nats-conf.real.ts asks the server.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, listAt, nameOf, ofKind, podOf, renderOverlay, textOf, whereRendered } from './render.js'

const objects = () => renderOverlay('cluster')
const confOf = () => {
  const map = ofKind(objects(), 'ConfigMap').find((each) => nameOf(each).startsWith('millrace-nats-'))
  return textOf(at(map, 'data', 'nats.conf'))
}

test('servers of NATS that do not find each other', whereRendered, () => {
  const set = ofKind(objects(), 'StatefulSet')[0]
  const peers = Array.from(
    { length: Number(at(set, 'spec', 'replicas')) },
    (_, n) => `nats://${nameOf(set ?? fail())}-${n}.${textOf(at(set, 'spec', 'serviceName'))}:6222`,
  )
  assert.deepEqual(confOf().match(/nats:\/\/\S+/g), peers)
})

test('a store that fills the volume of NATS', whereRendered, () => {
  const claim = listAt(ofKind(objects(), 'StatefulSet')[0], 'spec', 'volumeClaimTemplates')[0]
  const volumeGiB = Number(
    /^(\d+)Gi$/.exec(textOf(at(claim, 'spec', 'resources', 'requests', 'storage')))?.[1],
  )
  const storeGiB = Number(/max_file_store: (\d+)GiB/.exec(confOf())?.[1])
  assert.ok(storeGiB <= volumeGiB * 0.8, `${storeGiB} of ${volumeGiB} GiB`)
})

test('an acknowledgement of NATS that a power cut takes back', whereRendered, () => {
  assert.match(confOf(), /^ {2}sync_interval: always$/m)
})

test('a NATS server that is killed while its clients move to the others', whereRendered, () => {
  const seconds = (key: string) => Number(new RegExp(`${key}: (\\d+)s`).exec(confOf())?.[1])
  const graceSeconds = Number(
    at(podOf(ofKind(objects(), 'StatefulSet')[0] ?? fail()), 'terminationGracePeriodSeconds'),
  )
  assert.ok(graceSeconds >= seconds('lame_duck_grace_period') + seconds('lame_duck_duration') + 10)
})

function fail(): never {
  throw new Error('there is no StatefulSet')
}
