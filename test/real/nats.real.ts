// Nodes and the command line against a real nats-server: settings, canaries, verbs, permissions, and a server that goes and comes.
import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { configSubject, controlSubject, trafficSubject, trafficSumSubject } from '../../protocol/subjects.js'
import { cleanLater, connected, control, ownServer, runsWith, startFleet, until, warnOf } from './fleet.js'

test('settings reach every node, a bad one none, and a roll-back goes back', {
  timeout: 180_000,
}, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a', 'b.example.com'])
  await connected(fleet, 'a')
  await connected(fleet, 'b.example.com')
  fleet.desk.write('good.yaml', 'sampling: { tiers: { warn: 0.9 } }\n')
  fleet.desk.write('better.yaml', 'tiers: { warn: 0.8 }\n')
  fleet.desk.write('bad.yaml', 'tiers: { warn: 9 }\n')
  const bad = await fleet.ctl('config', 'set', 'bad.yaml')
  assert.equal(bad.code, 2)
  assert.match(bad.stderr, /sampling\.tiers\.warn: got 9, expected a rate/)
  assert.equal((await fleet.ctl('config', 'set', 'good.yaml')).code, 0)
  for (const node of ['a', 'b.example.com']) await runsWith(fleet, node, 0.9)
  const canary = await fleet.ctl('config', 'set', 'better.yaml', '--canary', '5%', '--watch', '2s')
  assert.equal(canary.code, 0, canary.stderr)
  assert.match(canary.stdout, /canary: revision \d+ on 1 of 2 nodes/)
  for (const node of ['a', 'b.example.com']) await runsWith(fleet, node, 0.8)
  const diff = await fleet.ctl('config', 'diff')
  assert.deepEqual([diff.code, diff.stdout], [1, '  tiers:\n-   warn: 0.9\n+   warn: 0.8\n'])
  assert.equal((await fleet.ctl('config', 'rollback')).code, 0)
  for (const node of ['a', 'b.example.com']) await runsWith(fleet, node, 0.9)

  // Settings of a node's own count before a canary's: it is no canary. The node may be named before the verb.
  assert.equal((await fleet.ctl('config', 'set', 'better.yaml', '--only', 'a')).code, 0)
  await runsWith(fleet, 'a', 0.8)
  fleet.desk.write('third.yaml', 'tiers: { warn: 0.7 }\n')
  const others = await fleet.ctl('config', 'set', 'third.yaml', '--canary', '100%', '--watch', '1s')
  assert.equal(others.code, 0, others.stderr)
  assert.match(others.stdout, /left out, .*own: a\ncanary: revision \d+ on 1 of 2 nodes: b\.example\.com/)
  const alone = await fleet.ctl('config', 'rollback', '--only', 'never')
  assert.deepEqual(
    [alone.code, alone.stderr],
    [1, 'millrace: nodes.never was never set: there is no revision to go by\n'],
  )
  const named = await fleet.ctl('--node', 'b.example.com', 'status')
  assert.match(named.stdout, /^b\.example\.com .*: ready/)
  assert.equal((await fleet.ctl('--all', 'nodes')).code, 2)
  assert.equal((await fleet.ctl('config', 'delete', '--only', 'a')).code, 0)
  assert.equal((await fleet.ctl('config', 'set', 'good.yaml')).code, 0)
  for (const node of ['a', 'b.example.com']) await runsWith(fleet, node, 0.9)

  // By hand, past every check of ours.
  const nc = await connect({ servers: own.url })
  const hand = await jetstreamManager(nc)
  await nc.request('$KV.millrace-config.sampling', '{"tiers":{"warn":"loud"}}')
  const refused = await until('the refusal is told', async () => {
    const status = await fleet.status('a')
    return control(status)['settingsRefused'] === '' ? undefined : status
  })
  assert.equal(refused.ready, true)
  assert.match(
    refused.degraded.join(),
    /revision \d+ of sampling is refused: sampling\.tiers\.warn: got "loud"/,
  )
  assert.equal(await warnOf(fleet, 'a'), 0.9)
  // A foreign message on the subject that the server says settings on.
  nc.publish(configSubject('sampling'), '{"tiers":{"warn":0.1}}')
  nc.publish(trafficSubject('real', 'x'), 'garbage')
  nc.publish(trafficSumSubject('real'), 'garbage')
  await nc.flush()
  assert.equal((await fleet.ctl('config', 'delete')).code, 0)
  for (const node of ['a', 'b.example.com']) await runsWith(fleet, node, 0.5)
  assert.equal(control(await fleet.status('a'))['settingsRefused'], '')
  assert.ok((await hand.streams.info('KV_millrace-config')).state.messages > 0)
  const metrics = await (await fetch(`http://${await fleet.nodes[0]?.address()}/metrics`)).text()
  assert.match(metrics, /log_pipeline_nats_refused_total\{subject="traffic",reason="form"\} [1-9]/)
  await nc.close()
  await fleet.end()
})

test('NATS goes: the node is degraded and says why, goes on, and takes what changed when it is back', {
  timeout: 180_000,
}, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a', 'b'])
  await connected(fleet, 'a')
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  await fleet.ctl('config', 'set', 'good.yaml')
  await runsWith(fleet, 'a', 0.9)
  await own.kill()
  const away = await until('degraded', async () => {
    const status = await fleet.status('a')
    return control(status)['connected'] === false ? status : undefined
  })
  assert.equal(away.ready, true)
  assert.match(away.degraded.join(), /control: .*NATS .*; sampling follows this node's own counts/)
  const before = away.counters.readRecords
  fleet.desk.write('logs/more.log', '{"level":"info","msg":"while away"}\n'.repeat(50))
  await until('reading goes on', async () =>
    (await fleet.status('a')).counters.readRecords >= before + 50 ? true : undefined,
  )
  assert.equal(await warnOf(fleet, 'a'), 0.9, 'the last good settings stay')
  // A node that starts meanwhile runs with the settings that it had.
  fleet.nodes[1]?.child.kill('SIGTERM')
  await fleet.nodes[1]?.ended
  const again = fleet.desk.start('run', '-c', 'b.yaml')
  await again.address()
  await runsWith(fleet, 'b', 0.9)
  await own.start()
  await connected(fleet, 'a')
  await connected(fleet, 'b')
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.7 }\n')
  assert.equal((await fleet.ctl('config', 'set', 'good.yaml')).code, 0)
  for (const node of ['a', 'b']) await runsWith(fleet, node, 0.7)
  for (const child of [fleet.nodes[0]?.child, again.child]) child?.kill('SIGTERM')
  await again.ended
})

test('verbs over NATS, the stock micro protocol, and accounts that may only look', {
  timeout: 120_000,
}, async () => {
  // What the README grants to whom.
  const verbs = (...names: string[]) => names.map((verb) => `"millrace.ctl.*.${verb}"`).join(', ')
  const traffic = '"millrace.traffic.>", "millrace.traffic-sum.>", "millrace.traffic-ask.>"'
  const own = await ownServer(
    `accounts { A { jetstream: enabled, users: [
      { user: node, password: n, permissions: {
        publish: [${traffic}, "$JS.API.>", "_INBOX.>"],
        subscribe: [${verbs('*')}, ${traffic}, "millrace.config.>", "$SRV.>", "_INBOX.node.>"] } }
      { user: ann, password: a }
      { user: viewer, password: v, permissions: {
        publish: [${verbs('status', 'actors', 'config')}, "$SRV.>"], subscribe: ["_INBOX.viewer.>"] } } ] } }`,
  )
  const fleet = await startFleet(
    [own.url],
    ['a', 'b'],
    ', username: node, password: n, inbox_prefix: _INBOX.node',
  )
  const config = readFileSync(`${fleet.desk.folder}/a.yaml`, 'utf8')
  const as = (user: string, password: string) =>
    config
      .replace('username: node, password: n', `username: ${user}, password: ${password}`)
      .replace('_INBOX.node', `_INBOX.${user}`)
  fleet.desk.write('ann.yaml', as('ann', 'a'))
  const ctl = (...words: string[]) => fleet.desk.run('ctl', ...words, '-c', 'ann.yaml')
  await connected(fleet, 'a')
  await connected(fleet, 'b')
  const nodes = await ctl('nodes', '--json')
  assert.deepEqual(
    nodes.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { node: string }).node),
    ['a', 'b'],
  )
  const drain = await ctl('drain', '--all')
  assert.equal(drain.code, 0, drain.stderr)
  assert.match((await fleet.status('b')).degraded.join(), /drained by an operator/)
  await ctl('resume', '--all')
  assert.deepEqual((await fleet.status('b')).degraded, [])
  assert.match(
    (await fleet.desk.run('top', '--all', '--once', '-c', 'ann.yaml')).stdout,
    /2 nodes: \d+ records\/s read/,
  )

  const nc = await connect({ servers: own.url, user: 'ann', pass: 'a' })
  const replies: Record<string, unknown>[] = []
  for await (const reply of await nc.requestMany('$SRV.INFO.millrace', '', {
    maxWait: 2000,
    strategy: 'count',
    maxMessages: 2,
  }))
    replies.push(reply.json())
  assert.deepEqual(
    replies.map(({ type, name }) => [type, name]),
    [
      ['io.nats.micro.v1.info_response', 'millrace'],
      ['io.nats.micro.v1.info_response', 'millrace'],
    ],
  )
  const stats = (await nc.request('$SRV.STATS.millrace')).json<{
    endpoints: { name: string; num_requests: number }[]
  }>()
  assert.ok((stats.endpoints.find(({ name }) => name === 'drain')?.num_requests ?? 0) >= 1)
  const odd = await nc.request(controlSubject('a', 'boost'), '[]')
  assert.equal(odd.headers?.get('Nats-Service-Error-Code'), '400')
  await nc.close()

  fleet.desk.write('viewer.yaml', as('viewer', 'v'))
  const viewed = await fleet.desk.run('ctl', 'status', '--all', '-c', 'viewer.yaml')
  assert.equal(viewed.code, 0, viewed.stderr)
  const denied = await fleet.desk.run('ctl', 'drain', '--node', 'b', '--timeout', '1s', '-c', 'viewer.yaml')
  assert.equal(denied.code, 1)
  assert.match(denied.stderr, /millrace\.ctl\.b\.drain/)
  assert.deepEqual((await fleet.status('b')).degraded, [], 'nothing was drained')
  // Who may look hears no answers but his own: a tap's records go to the user who asked for them.
  const viewer = await connect({ servers: own.url, user: 'viewer', pass: 'v' })
  const everything = viewer.subscribe('_INBOX.>')
  const overheard: string[] = []
  viewer.subscribe('_INBOX.viewer.>', { callback: (_error, message) => void overheard.push(message.subject) })
  await assert.rejects(
    everything.closed.then((error) => Promise.reject(error ?? new Error('closed'))),
    /ermission/,
  )
  const tap = ctl('tap', '--all', '-n', '1', '-f', 'message=tapped')
  fleet.desk.write('logs/tapped.log', '')
  let tapped = false
  void tap.then(() => (tapped = true))
  while (!tapped) {
    appendFileSync(`${fleet.desk.folder}/logs/tapped.log`, '{"level":"error","msg":"tapped"}\n')
    await sleep(200)
  }
  assert.match((await tap).stdout, /tapped/)
  await viewer.flush()
  assert.deepEqual(overheard, [])
  await viewer.close()
  const untapped = await fleet.desk.run('ctl', 'tap', '--node', 'b', '-c', 'viewer.yaml')
  assert.deepEqual(
    [untapped.code, untapped.stderr],
    [
      1,
      'millrace: these credentials may not use tap: NATS refuses millrace.ctl.b.tap; grant it to the account\n',
    ],
  )
  fleet.desk.write('wrong.yaml', config.replace('password: n', 'password: hushhush'))
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  assert.equal((await ctl('config', 'set', 'good.yaml')).code, 0)
  for (const node of ['a', 'b']) await runsWith(fleet, node, 0.9)
  const wrong = await fleet.desk.run('ctl', 'nodes', '-c', 'wrong.yaml')
  assert.match(wrong.stderr, /refuses user node and the password/)
  assert.doesNotMatch(wrong.stderr, /hushhush/)
  await fleet.end()
})

test('a tap over NATS shows what passes, and ends', { timeout: 90_000 }, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a', 'b'])
  await connected(fleet, 'a')
  const tap = fleet.ctl('tap', '--all', '--json', '-n', '2', '-f', 'message=tapped')
  let more = true
  void (async () => {
    for (let n = 0; more; n++) {
      fleet.desk.write(`logs/tap-${n}.log`, '{"level":"error","msg":"tapped"}\n')
      await sleep(200)
    }
  })()
  const { code, stdout } = await tap
  more = false
  assert.equal(code, 0)
  assert.equal(stdout.trim().split('\n').length, 2)
  assert.match(stdout, /"message":"tapped"/)
  await fleet.end()
})

test('nodes know what the others see, and go by their own counts when NATS is gone', {
  timeout: 120_000,
}, async () => {
  const own = await ownServer()
  const fleet = await startFleet([own.url], ['a', 'b'])
  await connected(fleet, 'a')
  await connected(fleet, 'b')
  const file = fleet.desk.write('logs/busy.log', '')
  // Both nodes read the same file: the cluster sees each line twice.
  const writing = setInterval(() => appendFileSync(file, '{"level":"info","msg":"busy"}\n'.repeat(20)), 100)
  cleanLater(() => clearInterval(writing))
  const cart = async (node: string) => {
    const { sampling } = await fleet.status(node)
    const found = sampling?.services.find(({ service }) => service === 'cart')
    return { seen: found?.seenPerSecond ?? 0, cluster: found?.infoPerSecond ?? 0 }
  }
  for (const node of ['a', 'b'])
    await until(`${node} knows of both`, async () => {
      const { seen, cluster } = await cart(node)
      return seen > 100 && cluster > seen * 1.6 && cluster < seen * 2.4 ? true : undefined
    })
  await own.kill()
  await until('its own counts alone', async () => {
    const { seen, cluster } = await cart('a')
    return seen > 100 && cluster < seen * 1.3 ? true : undefined
  })
  clearInterval(writing)
  await fleet.end()
})
