// What accounts may be granted apart, on a real nats-server: to read the settings without changing them, and a node its own name only.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { connect } from 'nats'
import { controlSubject } from '../../protocol/subjects.js'
import { connected, ownServer, runsWith, startFleet, until } from './fleet.js'

const BUCKET = 'KV_millrace-config'
const READ_SETTINGS = [
  '$JS.API.INFO',
  `$JS.API.STREAM.INFO.${BUCKET}`,
  `$JS.API.STREAM.MSG.GET.${BUCKET}`,
  `$JS.API.CONSUMER.CREATE.${BUCKET}.>`,
  `$JS.API.CONSUMER.DELETE.${BUCKET}.>`,
  `$JS.FC.${BUCKET}.>`,
]
const list = (subjects: readonly string[]) => subjects.map((subject) => `"${subject}"`).join(', ')

test('settings that may be read and not written, and a node that answers under its own name alone', {
  timeout: 150_000,
}, async () => {
  const traffic = ['millrace.traffic-sum.real', 'millrace.traffic-ask.real.>', 'millrace.traffic.real.*']
  const own = await ownServer(
    `accounts { A { jetstream: enabled, users: [
      { user: node, password: n, permissions: {
        publish: [${list([...traffic, '$JS.API.>', '_INBOX.>'])}],
        subscribe: [${list([...traffic, controlSubject('a', '*'), 'millrace.config.>', '$SRV.>', '_INBOX.>'])}] } }
      { user: reader, password: r, permissions: { publish: [${list(READ_SETTINGS)}], subscribe: ["_INBOX.reader.>"] } }
      { user: ann, password: a } ] } }`,
  )
  const fleet = await startFleet([own.url], ['a'], ', username: node, password: n')
  await connected(fleet, 'a')
  const config = readFileSync(`${fleet.desk.folder}/a.yaml`, 'utf8')
  const as = (name: string, password: string) => {
    fleet.desk.write(
      `${name}.yaml`,
      config.replace(
        'username: node, password: n',
        `username: ${name}, password: ${password}, inbox_prefix: _INBOX.${name}`,
      ),
    )
    return (...words: string[]) => fleet.desk.run('ctl', ...words, '-c', `${name}.yaml`)
  }
  const [ann, reader] = [as('ann', 'a'), as('reader', 'r')]
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  fleet.desk.write('other.yaml', 'tiers: { warn: 0.1 }\n')
  const set = await ann('config', 'set', 'good.yaml')
  assert.equal(set.code, 0, set.stderr)
  await runsWith(fleet, 'a', 0.9)

  const read = await reader('config', 'get')
  assert.deepEqual([read.code, read.stderr], [0, ''])
  assert.match(read.stdout, /warn: 0\.9/)
  const history = await reader('config', 'history')
  assert.equal(history.code, 0, history.stderr)
  for (const words of [
    ['config', 'set', 'other.yaml'],
    ['config', 'delete'],
  ]) {
    const refused = await reader(...words)
    assert.notEqual(refused.code, 0, words.join(' '))
    assert.match(refused.stderr, /ermission/, words.join(' '))
    assert.match(refused.stderr, /\$KV\.millrace-config\.sampling/, words.join(' '))
  }
  await runsWith(fleet, 'a', 0.9)

  // One node's own settings count before everyone's, also when those change, until they are gone.
  assert.equal((await ann('config', 'set', 'other.yaml', '--only', 'a')).code, 0)
  await runsWith(fleet, 'a', 0.1)
  fleet.desk.write('all.yaml', 'tiers: { warn: 0.8 }\n')
  assert.equal((await ann('config', 'set', 'all.yaml')).code, 0)
  await runsWith(fleet, 'a', 0.1)
  assert.equal((await ann('config', 'delete', '--only', 'a')).code, 0)
  await runsWith(fleet, 'a', 0.8)

  // Another node under the same account's permissions: it runs, may not answer for itself, and says what is missing.
  fleet.desk.write('b.yaml', config.replace('id: a', 'id: b').replaceAll(/data-a|archive-a/g, 'of-b'))
  const second = fleet.desk.start('run', '-c', 'b.yaml')
  const address = await second.address()
  const said = await until('the missing permission is told', async () => {
    const text = await (await fetch(`http://${address}/readyz`)).text()
    return /permissions violation/i.test(text) ? text : undefined
  })
  assert.match(said, /millrace\.ctl\.b/)
  assert.equal((await ann('config', 'set', 'other.yaml', '--only', 'b')).code, 0)
  await runsWith(fleet, 'a', 0.8)
  const nc = await connect({ servers: own.url, user: 'ann', pass: 'a' })
  await assert.rejects(nc.request(controlSubject('b', 'status'), '{}', { timeout: 2000 }))
  assert.equal((await nc.request(controlSubject('a', 'status'), '{}')).json<{ ok: boolean }>().ok, true)
  await nc.close()
  second.child.kill('SIGTERM')
  assert.equal((await second.ended).code, 0)
  await fleet.end()
})
