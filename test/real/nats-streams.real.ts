// What a node needs of a nats-server, and what it says where it is not so: limits of streams, JetStream, a cluster of three.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { cleanLater, connected, control, ownServer, runsWith, startFleet, until } from './fleet.js'
import { startNatsCluster } from './servers/own-nats.js'

test('a stream that exists with other limits is updated where it can be, and told where not', {
  timeout: 90_000,
}, async () => {
  const own = await ownServer()
  const nc = await connect({ servers: own.url })
  const manager = await jetstreamManager(nc)
  await manager.streams.add({
    name: 'KV_millrace-config',
    subjects: ['$KV.millrace-config.>'],
    storage: 'memory',
    max_bytes: 1000,
  })
  await manager.streams.add({
    name: 'MILLRACE_AUDIT',
    subjects: ['millrace.audit.>'],
    retention: 'workqueue',
    max_bytes: 1_048_576,
    discard: 'new',
  })
  const fleet = await startFleet([own.url], ['a'])
  const status = await until('the difference is told', async () => {
    const found = await fleet.status('a')
    return found.degraded.some((what) => what.includes('KV_millrace-config')) ? found : undefined
  })
  assert.equal(status.ready, true)
  assert.match(
    status.degraded.join(),
    /storage is memory instead of file; adjust it with `nats stream edit KV_millrace-config`/,
  )
  await manager.streams.delete('KV_millrace-config')
  await until('it is made anew', async () =>
    (await fleet.status('a')).degraded.length === 0 ? true : undefined,
  )
  const shown = await fleet.ctl('streams')
  assert.equal(shown.code, 1)
  assert.match(shown.stdout, /MILLRACE_AUDIT \(stream\): differs.*\n {2}max_bytes is 1MiB instead of 256MiB/)
  assert.equal((await fleet.ctl('streams', '--apply')).code, 0)
  assert.equal((await manager.streams.info('MILLRACE_AUDIT')).config.max_bytes, 256 * 1024 ** 2)
  await nc.close()
  await fleet.end()
})

test('a server without JetStream: the verbs work, and what does not is told', {
  timeout: 90_000,
}, async () => {
  const own = await ownServer('', false)
  const fleet = await startFleet([own.url], ['a'])
  const status = await until('told', async () => {
    const found = await fleet.status('a')
    return found.degraded.some((what) => /no JetStream/.test(what)) ? found : undefined
  })
  assert.equal(control(status)['connected'], true)
  assert.equal((await fleet.ctl('status', '--node', 'a')).code, 0)
  await fleet.end()
})

test('a cluster of three: three copies, and the loss of the leader is not noticed for long', {
  timeout: 180_000,
}, async () => {
  const servers = await startNatsCluster()
  for (const each of servers) cleanLater(() => each.remove())
  const fleet = await startFleet(
    servers.map(({ url }) => url),
    ['a', 'b'],
  )
  await connected(fleet, 'a')
  await connected(fleet, 'b')
  fleet.desk.write('one.yaml', 'tiers: { warn: 0.9 }\n')
  await until('set', async () =>
    (await fleet.ctl('config', 'set', 'one.yaml')).code === 0 ? true : undefined,
  )
  for (const node of ['a', 'b']) await runsWith(fleet, node, 0.9)
  const nc = await connect({ servers: servers.map(({ url }) => url) })
  const { config, cluster } = await (await jetstreamManager(nc)).streams.info('KV_millrace-config')
  await nc.close()
  assert.equal(config.num_replicas, 3)
  await servers[Number(cluster?.leader?.slice(1))]?.kill()
  fleet.desk.write('two.yaml', 'tiers: { warn: 0.7 }\n')
  await until('set without the old leader', async () =>
    (await fleet.ctl('config', 'set', 'two.yaml')).code === 0 ? true : undefined,
  )
  for (const node of ['a', 'b']) await runsWith(fleet, node, 0.7)
  await fleet.end()
})
