// The NATS configuration of the manifests, read by the real nats-server; and what the autoscaler of the manifests asks servers, asked.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { parse } from 'yaml'
import { buffer } from '../../protocol/config/buffer.js'
import { nats } from '../../protocol/config/nats.js'
import { ensureConsumer } from '../../runtime/nats/consumers.js'
import { FRAME_STREAMS, openStreamsFor } from '../../runtime/nats/open-streams.js'
import { cleanLater, connected, ownServer, runsWith, startFleet, until } from './fleet.js'
import { freePort, startNatsCluster } from './servers/own-nats.js'
import { findTool, repository, run, skipWithout } from '../k8s/tools.js'

const server = findTool('nats-server')

test('a nats.conf that the server refuses', skipWithout(server, 'nats-server'), () => {
  if (server === undefined) return
  const file = path.join(repository, 'k8s/components/nats/nats.conf')
  const { code, output } = run(server, ['-t', '-c', file], {
    POD_NAME: 'millrace-nats-0',
    NATS_PASSWORD: 'of-a-test',
    NATS_OPERATOR_PASSWORD: 'of-another',
  })
  assert.equal(code, 0, output)
})

test('the password of the nodes that changes nodes, settings or streams; the operator’s that does not', {
  timeout: 120_000,
}, async () => {
  const conf = readFileSync(path.join(repository, 'k8s/components/nats/nats.conf'), 'utf8')
  const authorization = /^authorization \{[\s\S]*?^\}/m.exec(conf)?.[0] ?? ''
  const own = await ownServer(
    authorization.replace('$NATS_PASSWORD', 'of-nodes').replace('$NATS_OPERATOR_PASSWORD', 'of-the-operator'),
  )
  const fleet = await startFleet([own.url], ['a'], ', username: millrace, password: of-nodes')
  await connected(fleet, 'a')
  const config = readFileSync(`${fleet.desk.folder}/a.yaml`, 'utf8')
  const operator = 'username: operator, password: of-the-operator, inbox_prefix: _INBOX.operator'
  fleet.desk.write('operator.yaml', config.replace('username: millrace, password: of-nodes', operator))
  fleet.desk.write('good.yaml', 'tiers: { warn: 0.9 }\n')
  for (const words of [
    ['drain', '--node', 'a', '--timeout', '2s'],
    ['config', 'set', 'good.yaml'],
  ]) {
    const refused = await fleet.ctl(...words)
    assert.equal(refused.code, 1, words.join(' '))
    assert.match(refused.stderr, /ermission|may not use/, words.join(' '))
    const taken = await fleet.desk.run('ctl', ...words, '-c', 'operator.yaml')
    assert.equal(taken.code, 0, taken.stderr)
  }
  await runsWith(fleet, 'a', 0.9)
  const nodes = await connect({ servers: own.url, user: 'millrace', pass: 'of-nodes' })
  cleanLater(() => nodes.close())
  const manager = await jetstreamManager(nodes)
  await assert.rejects(manager.streams.delete('KV_millrace-config'), /ermission/)
  await fleet.end()
})

interface Trigger {
  readonly type: string
  readonly metadata: { readonly account: string; readonly stream: string; readonly consumer: string }
}
interface Jsz {
  readonly meta_cluster?: { readonly cluster_size: number }
  readonly account_details?: readonly {
    readonly name: string
    readonly stream_detail: readonly {
      readonly name: string
      readonly consumer_detail?: readonly {
        readonly name: string
        readonly num_pending: number
        readonly num_ack_pending: number
        readonly cluster?: { readonly leader: string }
      }[]
    }[]
  }[]
}

/*
 * How KEDA's scaler nats-jetstream finds the lag (pkg/scalers/nats_jetstream_scaler.go): it asks /jsz of the endpoint for the account,
 * in a cluster takes the servers from connect_urls of /varz, asks each for its name, and takes the numbers of the consumer's leader.
 */
test('the autoscaler does not find the consumers of its triggers in a cluster of three', {
  timeout: 120_000,
}, async () => {
  const ports = [await freePort(), await freePort(), await freePort()]
  const servers = await startNatsCluster(ports.map((port) => `http: 127.0.0.1:${port}`))
  for (const each of servers) cleanLater(() => each.remove())
  const urls = servers.map(({ url }) => url)
  const connection = await until('the cluster takes connections', () => connect({ servers: urls }))
  cleanLater(() => connection.close())
  const scaled = parse(
    readFileSync(path.join(repository, 'k8s/components/writers/autoscaling.yaml'), 'utf8'),
  ) as { readonly spec: { readonly triggers: readonly Trigger[] } }
  const options = nats.parse({ servers: urls })
  assert.ok(options)
  const manager = await until('the stream has a leader', () =>
    openStreamsFor(FRAME_STREAMS, connection, options),
  )
  for (const { metadata } of scaled.spec.triggers)
    await ensureConsumer(manager, metadata.consumer, buffer.parse({}), false)
  await jetstream(connection).publish('millrace.logs.test.a', 'waits for both')
  const ask = async (port: number, where: string) =>
    (await (await fetch(`http://127.0.0.1:${port}${where}`)).json()) as unknown
  for (const { type, metadata } of scaled.spec.triggers) {
    assert.equal(type, 'nats-jetstream')
    const query = new URLSearchParams({ acc: metadata.account, consumers: 'true', config: 'true' })
    const found = await until(`the leader of ${metadata.consumer} tells its lag`, async () => {
      for (const port of ports) {
        const { server_name, connect_urls } = (await ask(port, '/varz')) as {
          readonly server_name: string
          readonly connect_urls?: readonly string[]
        }
        assert.equal(connect_urls?.length, 3, 'every server tells of all')
        const { account_details = [], meta_cluster } = (await ask(port, `/jsz?${query.toString()}`)) as Jsz
        assert.equal(meta_cluster?.cluster_size, 3)
        const consumer = account_details
          .find(({ name }) => name === metadata.account)
          ?.stream_detail.find(({ name }) => name === metadata.stream)
          ?.consumer_detail?.find(({ name }) => name === metadata.consumer)
        if (consumer !== undefined && consumer.cluster?.leader === server_name) return consumer
      }
      return undefined
    })
    assert.equal(found.num_pending + found.num_ack_pending, 1)
  }
})
