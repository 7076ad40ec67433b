// Captures in the object store of a real NATS server: the bucket is made, captures are put, listed and given back; a server that is away is an error.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { jetstream } from '@nats-io/jetstream'
import { Objm } from '@nats-io/obj'
import { connect } from 'nats'
import { natsStore } from '../../actors/capture/stores/nats.js'
import { configSchema } from '../../protocol/config/schema.js'
import { criLine, logFile, startScene, unpack } from '../capture/scene.js'
import { serverUrl } from './servers/settings.js'

const { nats } = configSchema.parse({ sources: {}, backends: {}, nats: { servers: [serverUrl('nats')] } })
const KEY = 'prod/shop/fallback-cart-1-20261123T100000.000Z.tar.gz'

/** A bucket of this test alone, gone afterwards. */
async function withBucket(run: (bucket: string, objects: Objm) => Promise<void>): Promise<void> {
  const bucket = `millrace-captures-test-${randomBytes(5).toString('hex')}`
  const connection = await connect({ servers: serverUrl('nats') })
  const objects = new Objm(jetstream(connection))
  try {
    await run(bucket, objects)
  } finally {
    await (await objects.open(bucket).catch(() => undefined))?.destroy()
    await connection.close()
  }
}

const options = (bucket: string) => ({
  type: 'nats' as const,
  bucket,
  retention: 86_400_000,
  timeout: 5000,
})

test('captures in the NATS object store', () =>
  withBucket(async (bucket, objects) => {
    const store = natsStore(options(bucket), nats)
    const bytes = randomBytes(700_000)
    assert.equal(await store.get(KEY), undefined)
    await store.put(KEY, bytes)
    await store.put(KEY, bytes)
    assert.deepEqual(Buffer.from((await store.get(KEY)) ?? []), bytes)
    assert.deepEqual(
      (await store.list(10)).map(({ key, bytes: size }) => [key, size]),
      [[KEY, 700_000]],
    )
    const status = await (await objects.open(bucket)).status()
    assert.equal(status.ttl, 86_400_000 * 1e6)
  }))

test('a panic is in the NATS object store', () =>
  withBucket(async (bucket) => {
    const at = await startScene({ store: options(bucket), nats })
    try {
      at.write(logFile(), criLine('panic: boom'))
      const podUid = '0f1e2d3c-0000-4000-8000-000000000001'
      const names = { namespace: 'shop', podName: 'cart-1', podUid, containerName: 'app' }
      at.send({ type: 'panic', language: 'go', ...names, atMs: Date.now() })
      await at.until(() => at.metric('captures_stored_total') === 1, 'the capture')
      const store = natsStore(options(bucket), nats)
      const [found] = await store.list(10)
      const files = await unpack((await store.get(found?.key ?? '')) ?? new Uint8Array())
      assert.equal(files['stack.txt'], 'panic: boom\n')
    } finally {
      await at.close()
    }
  }))

test('a NATS server that is away is an error that names it', async () => {
  const store = natsStore(
    { ...options('millrace-captures-test'), timeout: 500 },
    nats && { ...nats, servers: ['nats://127.0.0.1:9'] },
  )
  await assert.rejects(store.put(KEY, Buffer.from('x')), {
    code: 'nats.unreachable',
    message: /127\.0\.0\.1:9/,
  })
})
