// Guards what probes, scrapers and strangers get from the node's HTTP side.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { pino } from 'pino'
import { startHttp } from '../../runtime/http/server.js'
import { holdConnections } from './held-connections.js'
import { exampleStatus, startNodeServer } from './node-server.js'

async function raw(address: string, request: string): Promise<string> {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece))
  socket.on('error', () => undefined)
  socket.end(request)
  await once(socket, 'close')
  return answer
}

test('a node that is not ready answers 503 with its reasons, a degraded one 200 that says so, and both are alive', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const page = async (path: string) => {
    const response = await fetch(`${node.url}${path}`)
    return [response.status, await response.text()] as const
  }
  assert.deepEqual(await page('/readyz'), [200, 'ready\n'])
  node.status = { ...exampleStatus, degraded: ['writer.loki: breaker open'] }
  assert.deepEqual(await page('/readyz'), [200, 'ready\ndegraded: writer.loki: breaker open\n'])
  node.status = { ...exampleStatus, ready: false, reasons: ['journal: disk full'] }
  assert.deepEqual(await page('/readyz'), [503, 'not ready\njournal: disk full\n'])
  assert.deepEqual(await page('/healthz'), [200, 'ok\n'])
})

test('metrics carry the Prometheus content type and status is the whole JSON', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const metrics = await fetch(`${node.url}/metrics`)
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(await metrics.text(), 'log_pipeline_x 1\n')
  assert.deepEqual(await (await fetch(`${node.url}/status`)).json(), exampleStatus)
  const head = await fetch(`${node.url}/status`, { method: 'HEAD' })
  assert.equal(await head.text(), '')
  assert.ok(Number(head.headers.get('content-length')) > 100)
})

test('an unknown page is 404, another method 405, and garbage 400', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const lost = await fetch(`${node.url}/../etc/passwd`)
  assert.equal(lost.status, 404)
  assert.match(await lost.text(), /there are \/healthz, \/readyz/)
  const post = await fetch(`${node.url}/status`, { method: 'POST', body: 'x'.repeat(100_000) })
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  await post.text()
  assert.match(await raw(node.address, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
  assert.match(
    await raw(node.address, `GET /status HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 4(00|31) /,
  )
  assert.match(
    await raw(node.address, 'GET //[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
    /^HTTP\/1\.1 404 /,
  )
})

test('a header that never ends, slowly sent, and more connections than there may be, do not keep others out', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const port = Number(node.address.split(':')[1])
  // One more than the bound: the last of them is closed at once.
  const closed = holdConnections(context, port, 257, 'GET /healthz HTTP/1.1\r\nhost: x\r\na: ')
  await Promise.race(closed)
  // The others end by the time that a header may take; then there is room again.
  await Promise.all(closed)
  assert.equal((await fetch(`${node.url}/healthz`)).status, 200)
})

test('a fault behind a page is a 500 without its text, and the server goes on', async (context) => {
  const node = await startNodeServer({ metrics: () => Promise.reject(new Error('inner detail')) })
  context.after(() => node.close())
  const response = await fetch(`${node.url}/metrics`)
  assert.equal(response.status, 500)
  assert.doesNotMatch(await response.text(), /inner detail/)
  assert.equal((await fetch(`${node.url}/healthz`)).status, 200)
})

test('a port in use names the address, the option and the way out', async (context) => {
  const node = await startNodeServer()
  context.after(() => node.close())
  const again = (listen: string) =>
    startHttp({
      listen,
      health: () => exampleStatus,
      metrics: () => Promise.resolve(''),
      tap: () => undefined,
      log: pino({ level: 'silent' }),
    })
  await assert.rejects(again(node.address), {
    code: 'http.port_in_use',
    message: new RegExp(`^http\\.listen: ${node.address} is in use.*set http\\.listen to another port`),
  })
  await assert.rejects(again('203.0.113.7:0'), {
    code: 'http.address',
    message: /is no address of this host/,
  })
})

test('close ends open connections and frees the port', async () => {
  const node = await startNodeServer()
  const idle = connect(Number(node.address.split(':')[1]), '127.0.0.1')
  idle.on('error', () => undefined)
  await once(idle, 'connect')
  const gone = once(idle, 'close')
  await node.close()
  await gone
  await assert.rejects(fetch(`${node.url}/healthz`))
})
