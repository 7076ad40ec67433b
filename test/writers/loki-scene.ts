// The Loki writer with a stand-in behind it, and what must be found there afterwards.
import assert from 'node:assert/strict'
import { type LokiStandIn, type LokiStandInOptions, startLokiStandIn } from '../stand-ins/loki.js'
import type { TestFrame } from './frames.js'
import { type BackendInput, startWriter, type WriterUnderTest } from './journal.js'

export interface Scene {
  readonly loki: LokiStandIn
  readonly writer: WriterUnderTest
}

export async function withLoki(
  run: (scene: Scene) => Promise<void>,
  options: Partial<BackendInput> = {},
  server: LokiStandInOptions = {},
): Promise<void> {
  const loki = await startLokiStandIn(server)
  const writer = await startWriter({ type: 'loki', url: loki.url, ...options })
  try {
    await writer.until('subscribe', () => writer.sent.some(({ type }) => type === 'subscribe'))
    await run({ loki, writer })
  } finally {
    await writer.stop()
    await loki.close()
  }
}

export const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n
export const MINUTE_NS = 60_000_000_000n

/** All records are there exactly once, each line as it was. */
export function assertAll(
  loki: LokiStandIn,
  frames: readonly TestFrame[],
  without: readonly string[] = [],
): void {
  const entries = loki.entries()
  const lines = new Map(entries.map((entry) => [entry.metadata['rid'], entry.line]))
  assert.equal(lines.size, entries.length)
  const expected = frames.flatMap(({ id, lines: all }) => all.map((line, n) => [`${id}-${n}`, line] as const))
  const wanted = expected.filter(([rid]) => !without.includes(rid))
  assert.equal(lines.size, wanted.length)
  for (const [rid, line] of wanted) assert.equal(lines.get(rid), line)
}
