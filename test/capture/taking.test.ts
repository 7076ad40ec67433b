// Many containers that die together: none waits for the words of another one.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createPodWatch } from '../../actors/capture/pod-watch.js'
import { createSpool } from '../../actors/capture/spool.js'
import { createTaking } from '../../actors/capture/taking.js'
import { capture as captureSchema } from '../../protocol/config/capture.js'
import { createFakeClock } from '../journal/fake-clock.js'
import { createBench } from '../sources/bench.js'

const DYING = 30
const SETTLE_MS = 500

test('containers that die together are all in hand when one wait for the rest of a trace is over', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-taking-'))
  const bench = createBench({ name: 'capture' })
  try {
    const clock = createFakeClock()
    const spool = createSpool(folder, 2 ** 30, clock.now)
    const hurried: string[] = []
    let heard = 0
    const context = { ...bench.context, clock }
    const taking = createTaking({
      context,
      assembly: {
        context,
        options: captureSchema.parse({ settle: SETTLE_MS }),
        pods: createPodWatch(clock.now, () => assert.fail('no pods are told')),
        events(_namespace, _podUid, signal) {
          heard++
          return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
        },
      },
      spool,
      uploads: {
        hurry: (key) => void hurried.push(key),
        direct: () => assert.fail('the disk takes them'),
        start: () => undefined,
        stop: async () => undefined,
        fault: () => undefined,
        stored: () => 0,
      },
      onLost: (key, reason) => assert.fail(`${key}: ${reason}`),
    })
    const taken = Array.from({ length: DYING }, (_, n) => {
      const [podUid, atMs] = [`u-${n}`, clock.now()]
      const detection = { reason: 'panic', by: 'log', podUid, containerName: 'app', atMs } as const
      const named = { detection, detectedAtMs: atMs, namespace: 'shop', podName: `cart-${n}` }
      return taking.take({ ...named, logs: undefined, figures: undefined }, clock.monotonic())
    })
    assert.equal(heard, DYING)
    await clock.advance(2 * SETTLE_MS)
    const names = await Promise.all(taken)
    assert.equal(new Set(names).size, DYING)
    assert.equal(spool.waiting().length, DYING)
    assert.deepEqual(
      hurried.toSorted(),
      spool
        .waiting()
        .map(({ key }) => key)
        .toSorted(),
    )
  } finally {
    await bench.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
