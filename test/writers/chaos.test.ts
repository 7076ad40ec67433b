// Everything at once: changing faults, a writer that is cut off in the middle, frames delivered again. In the end each record is there once.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startElasticsearchStandIn } from '../stand-ins/elasticsearch.js'
import type { Faults } from '../stand-ins/faults.js'
import { startLokiStandIn } from '../stand-ins/loki.js'
import { frameId, makeFrame, recentRecords, type TestFrame } from './frames.js'
import { startWriter } from './journal.js'

const FAULTS: readonly Faults[] = [
  {},
  { status: 429, requests: 3 },
  { status: 503, requests: 6 },
  { status: 413, requests: 2 },
  { reset: true, requests: 3 },
  { reset: true, stored: true, requests: 3 },
  { halfAnswer: true, requests: 2 },
  { hang: true, stored: true, requests: 1 },
  { itemStatus: 429, itemShare: 0.3, requests: 3 },
  { missingItems: 2, requests: 2 },
  { delayMs: 30, requests: 5 },
]
const ROUNDS = 24

/** A small generator, so that a failure comes again with the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

interface Server {
  readonly url: string
  setFaults(faults?: Faults): void
  close(): Promise<void>
}

async function survive(
  type: 'elasticsearch' | 'loki',
  server: Server,
  frames: readonly TestFrame[],
): Promise<void> {
  const random = seeded(7)
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-chaos-'))
  const options = { type, url: server.url, timeout: 250, batch_bytes: 32 * 1024, batch_age_max: 5 }
  const done = new Set<number>()
  try {
    let writer = await startWriter(options, folder)
    for (let round = 0; round < ROUNDS; round++) {
      server.setFaults(FAULTS[Math.floor(random() * FAULTS.length)])
      const seq = round + 1
      writer.send(seq, frames[round] as TestFrame, random() < 0.5 ? 'slot' : 'encoded')
      await new Promise((resolve) => setTimeout(resolve, random() * 20))
      if (round % 8 !== 7) continue
      await writer.stop(true)
      for (const each of writer.done) done.add(each)
      writer = await startWriter(options, folder)
      for (let again = 1; again <= seq; again++)
        if (!done.has(again)) writer.send(again, frames[again - 1] as TestFrame, 'encoded')
    }
    server.setFaults({})
    await writer.until('all', () => frames.every((_, n) => done.has(n + 1) || writer.done.has(n + 1)), 20_000)
    assert.deepEqual(await writer.deadLetters(), [])
    await writer.stop(true)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await server.close()
  }
}

function someFrames(): TestFrame[] {
  const services = ['cart', 'pay', 'ship']
  return Array.from({ length: ROUNDS }, (_, n) => {
    const records = recentRecords(120, { message: 'x'.repeat(200) })
    return makeFrame(
      frameId(n + 1),
      records.map((record, k) => ({ ...record, service: services[k % 3] as string })),
    )
  })
}

test('Elasticsearch: through changing faults and restarts every record arrives once', async () => {
  const server = await startElasticsearchStandIn()
  const frames = someFrames()
  await survive('elasticsearch', server, frames)
  const documents = server.documents()
  assert.equal(documents.size, ROUNDS * 120)
  assert.equal(server.stats.stored, ROUNDS * 120)
  for (const { id, lines } of frames) for (const n of lines.keys()) assert.ok(documents.has(`${id}-${n}`))
})

test('Loki: through changing faults and restarts every record arrives once', async () => {
  const server = await startLokiStandIn()
  const frames = someFrames()
  await survive('loki', server, frames)
  const rids = new Set(server.entries().map(({ metadata }) => metadata['rid']))
  assert.equal(server.count(), ROUNDS * 120)
  assert.equal(rids.size, ROUNDS * 120)
})
