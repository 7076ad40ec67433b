// Two clusters on one account of a real nats-server, which is a mistake: neither changes the other's nodes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { connected, ownServer, runsWith, startFleet, until } from './fleet.js'

test('settings of one cluster in force on the nodes of another, and a verb for all nodes of both', {
  timeout: 120_000,
}, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a'])
  const config = readFileSync(`${fleet.desk.folder}/a.yaml`, 'utf8')
  const other = config.replace('id: a, cluster_id: real', 'id: b, cluster_id: other')
  fleet.desk.write('b.yaml', other.replaceAll(/data-a|archive-a/g, 'of-b'))
  const second = fleet.desk.start('run', '-c', 'b.yaml')
  const address = await second.address()
  await connected(fleet, 'a')
  const both = await until('both nodes answer', async () => {
    const asked = await fleet.desk.run('ctl', 'drain', '--all', '--nats', own.url)
    return /several clusters/.test(asked.stderr) ? asked : undefined
  })
  assert.equal(both.code, 2)
  assert.match(both.stderr, /other, real; name the one that is meant/)
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  const set = await fleet.ctl('config', 'set', 'good.yaml')
  assert.equal(set.code, 0, set.stderr)
  await runsWith(fleet, 'a', 0.9)
  const status = await until('the other cluster’s node says what it refuses', async () => {
    const text = await (await fetch(`http://${address}/status`)).text()
    return text.includes('each cluster needs a NATS account of its own') ? text : undefined
  })
  assert.match(status, /for the nodes of cluster real, and this one is of other/)
  second.child.kill('SIGTERM')
  assert.equal((await second.ended).code, 0)
  await fleet.end()
})
