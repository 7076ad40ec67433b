// Captures in an object store bucket of NATS JetStream. A connection is made for each: they are rare, and nodes are many.
import { jetstream } from '@nats-io/jetstream'
import { Objm } from '@nats-io/obj'
import type { NatsStoreOptions } from '../../../protocol/config/capture.js'
import type { Config } from '../../../protocol/config/schema.js'
import { MillraceError } from '../../../protocol/errors.js'
import { isCaptureKey } from '../name.js'
import type { CaptureStore } from '../store.js'
import { storeFault } from './fault.js'
import { connectForCapture, makeBucket } from './nats-connection.js'

type Bucket = Awaited<ReturnType<Objm['open']>>

/** Throws `capture.store` when the section `nats` is missing. */
export function natsStore(options: NatsStoreOptions, nats: Config['nats']): CaptureStore {
  const { bucket, retention, timeout } = options
  if (nats === undefined) {
    const text = `capture.store: the bucket ${bucket} is in NATS, but there is no section nats; add nats: { servers: [...] }`
    throw new MillraceError('config.capture_store', text)
  }
  const servers = nats
  const place = `nats object store ${bucket} at ${servers.servers.join(', ')}`

  async function use<T>(doing: string, run: (bucket: Bucket) => Promise<T>): Promise<T> {
    try {
      const connection = await connectForCapture(servers, timeout)
      try {
        const store = new Objm(jetstream(connection, { timeout }))
        return await run(await openOrCreate(store, () => makeBucket(connection, servers, bucket, retention)))
      } finally {
        await connection.close()
      }
    } catch (error) {
      throw storeFault(place, doing, error)
    }
  }

  /** A bucket that an operator made with limits of his own is taken as it is. */
  async function openOrCreate(store: Objm, make: () => Promise<void>): Promise<Bucket> {
    try {
      return await store.open(bucket)
    } catch {
      await make()
      return store.open(bucket)
    }
  }

  return {
    place,
    put: (key, bytes) =>
      use(`take ${key}`, async (objects) => {
        await objects.putBlob({ name: key }, bytes, { timeout })
      }),
    list: (max) =>
      use('list its captures', async (objects) => {
        const found = (await objects.list()).filter(({ name }) => isCaptureKey(name))
        return found
          .map(({ name, size, mtime }) => ({ key: name, bytes: size, storedAtMs: Date.parse(mtime) || 0 }))
          .sort((a, b) => b.storedAtMs - a.storedAtMs)
          .slice(0, max)
      }),
    get: (key) => use(`give ${key}`, async (objects) => (await objects.getBlob(key)) ?? undefined),
    close: async () => undefined,
  }
}
