// Guards the live tap: who may read records, how many, and what a slow or vanished reader costs the node.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { startNodeServer, type NodeServer } from './node-server.js'

interface Opened {
  readonly filter: string
  readonly rate: number
  readonly onLines: (ndjson: string) => void
  readonly signal: AbortSignal
}

async function tapped(): Promise<{ node: NodeServer; taps: Opened[] }> {
  const taps: Opened[] = []
  const node = await startNodeServer({
    tap: (filter, rate, onLines, signal) => taps.push({ filter, rate, onLines, signal }),
  })
  return { node, taps }
}

async function get(
  node: NodeServer,
  query: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const outgoing = request(`${node.url}/tap${query}`, { headers, agent: false })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

async function body(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of response.setEncoding('utf8')) text += piece as string
  return text
}

test('records stream as they come and the answer ends at the limit', async (context) => {
  const { node, taps } = await tapped()
  context.after(() => node.close())
  const response = await get(node, `?filter=${encodeURIComponent('level>=WARN cart')}&limit=3&rate=7`)
  const [tap] = taps as [Opened]
  assert.deepEqual([tap.filter, tap.rate], ['level>=WARN cart', 7])
  tap.onLines('{"a":1}\n')
  tap.onLines('{"a":2}\n{"a":3}\n{"a":4}\n')
  assert.equal(await body(response), '{"a":1}\n{"a":2}\n{"a":3}\n')
  if (!tap.signal.aborted) await once(tap.signal, 'abort')
  tap.onLines('{"a":5}\n')
})

test('a reader that goes away ends its tap', async (context) => {
  const { node, taps } = await tapped()
  context.after(() => node.close())
  const response = await get(node, '')
  const [tap] = taps as [Opened]
  response.destroy()
  if (!tap.signal.aborted) await once(tap.signal, 'abort')
})

test('a reader that does not read costs a bounded memory and is told what it missed', async (context) => {
  const { node, taps } = await tapped()
  context.after(() => node.close())
  const response = await get(node, '')
  const [tap] = taps as [Opened]
  const piece = `${JSON.stringify({ message: 'x'.repeat(100_000) })}\n`
  for (let n = 0; n < 400; n++) tap.onLines(piece)
  let text = ''
  response.setEncoding('utf8')
  for await (const part of response) {
    text += part as string
    // What waited has been read: the next piece finds room, and the word about the lost ones before it.
    if (text.includes('millrace_tap')) break
    tap.onLines('{"late":1}\n')
  }
  const lines = text.trim().split('\n')
  const said = lines
    .filter((line) => line.startsWith('{"millrace_tap"'))
    .map((line) => JSON.parse(line) as { millrace_tap: { dropped_records: number } })
  assert.ok((said[0]?.millrace_tap.dropped_records ?? 0) > 100)
  assert.ok(lines.filter((line) => line.includes('xxx')).length < 300)
})

test('a web page, a foreign host name and a bad filter get nothing', async (context) => {
  const { node, taps } = await tapped()
  context.after(() => node.close())
  assert.equal((await get(node, '', { origin: 'http://evil.example' })).statusCode, 403)
  assert.equal((await get(node, '', { host: 'evil.example:7700' })).statusCode, 403)
  const bad = await get(node, '?filter=level%3E%3DLOUD')
  assert.equal(bad.statusCode, 400)
  assert.match(await body(bad), /column 8: "LOUD" is no level/)
  assert.equal((await get(node, '?limit=-1')).statusCode, 400)
  assert.equal(taps.length, 0)
})

test('taps are bounded, and one that closes makes room', async (context) => {
  const { node, taps } = await tapped()
  context.after(() => node.close())
  const open = await Promise.all(Array.from({ length: 8 }, () => get(node, '')))
  assert.deepEqual(
    open.map((response) => response.statusCode),
    Array(8).fill(200),
  )
  const refused = await get(node, '')
  assert.equal(refused.statusCode, 503)
  assert.match(await body(refused), /8 taps are open already/)
  open[0]?.destroy()
  await Promise.race(taps.map(async (tap) => void (tap.signal.aborted || (await once(tap.signal, 'abort')))))
  assert.equal((await get(node, '')).statusCode, 200)
})
