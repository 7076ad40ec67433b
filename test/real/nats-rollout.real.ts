// Roll-outs against a real nats-server: what ends them, and that nobody stays on what was only tried.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from 'nats'
import type { NodeStatus } from '../../protocol/status.js'
import { CANARY_KEY } from '../../protocol/subjects.js'
import { openConfigBucket } from '../../runtime/nats/config-bucket.js'
import { connected, ownServer, runsWith, startFleet, until } from './fleet.js'

test('the canaries of a roll-out that harms are rolled back', { timeout: 120_000 }, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a', 'b'])
  await connected(fleet, 'a')
  await connected(fleet, 'b')
  fleet.desk.write('new.yaml', 'tiers: { warn: 0.4 }\n')
  const rollOut = fleet.ctl('config', 'set', 'new.yaml', '--canary', '100%', '--watch', '60s')
  await runsWith(fleet, 'b', 0.4)
  // More often than crashes would be forgiven, and no harm of the roll-out's.
  for (let n = 1; n <= 6; n++) {
    assert.equal((await fleet.ctl('restart', 'writer.vault', '--node', 'b')).code, 0)
    await until('restarted', async () => {
      const { stdout } = await fleet.ctl('status', '--json', '--node', 'b')
      const { groups } = JSON.parse(stdout) as NodeStatus
      return Object.values(groups).some(({ restarts, up }) => restarts === n && up) ? true : undefined
    })
  }
  await fleet.ctl('drain', '--node', 'b')
  const { code, stderr } = await rollOut
  assert.equal(code, 1)
  assert.match(stderr, /rolled back, all nodes keep the settings they had: b is degraded: drained/)
  for (const node of ['a', 'b']) await runsWith(fleet, node, 0.5)
  await fleet.end()
})

test('a roll-out that loses its write leaves nobody on what it tried', { timeout: 120_000 }, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a', 'b'])
  await connected(fleet, 'a')
  await connected(fleet, 'b')
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  assert.equal((await fleet.ctl('config', 'set', 'good.yaml')).code, 0)
  fleet.desk.write('tried.yaml', 'tiers: { warn: 0.6 }\n')
  const tried = fleet.ctl('config', 'set', 'tried.yaml', '--canary', '100%', '--watch', '15s')
  await runsWith(fleet, 'a', 0.6)
  const plain = await fleet.ctl('config', 'set', 'good.yaml')
  assert.equal(plain.code, 1)
  assert.match(plain.stderr, /a roll-out by \S+@\S+ runs until /)
  assert.equal((await fleet.ctl('config', 'delete')).code, 0)
  const lost = await tried
  assert.deepEqual([lost.code, /sampling was changed meanwhile/.test(lost.stderr)], [1, true], lost.stderr)
  const connection = await connect({ servers: own.url })
  assert.equal(await (await openConfigBucket(connection)).get(CANARY_KEY), undefined)
  // Who did it is in the history and in the log of each node.
  assert.match((await fleet.ctl('config', 'history')).stdout, /^revision \d+, \S+, deleted by \S+@\S+\n/)
  const who = `"by":"[^"]+@[^"]+"`
  await fleet.nodes[1]?.said(new RegExp(`"origin":"cluster","key":"sampling","revision":\\d+,${who}`))
  await fleet.nodes[1]?.said(new RegExp(`"origin":"file","key":"","revision":0,"deleted":{[^}]*${who}`))
  await connection.close()
  for (const node of ['a', 'b']) await runsWith(fleet, node, 0.5)
  await fleet.end()
})

test('options that would be ignored, and a node that nobody is, are refused', {
  timeout: 120_000,
}, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a'])
  await connected(fleet, 'a')
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  const senseless: [string[], RegExp][] = [
    [['set', 'good.yaml', '--watch', '5s'], /--watch: nobody is watched without --canary/],
    [['set', 'good.yaml', '--only', 'nobody'], /--only: no node nobody answers on NATS; there are a\n/],
    [['diff', 'good.yaml', '--from', '1'], /--from: compare with a file or with a revision, not both/],
  ]
  for (const [words, message] of senseless) {
    const { code, stderr } = await fleet.ctl('config', ...words)
    assert.equal(code, 2, words.join(' '))
    assert.match(stderr, message)
  }
  await fleet.end()
})
