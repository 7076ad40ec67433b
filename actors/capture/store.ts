// Where captures are kept: one interface over an S3-compatible store, a folder and the NATS object store.
import type { CaptureStoreOptions } from '../../protocol/config/capture.js'
import type { Config } from '../../protocol/config/schema.js'

export interface StoredCapture {
  /** `<cluster>/<namespace>/<name>`. */
  readonly key: string
  readonly bytes: number
  /** ms since the epoch. */
  readonly storedAtMs: number
}

/** All throw MillraceError `capture.store` when the store does not do it, naming the place and the reason. */
export interface CaptureStore {
  /** For messages and status; holds no secret. */
  readonly place: string
  /** Putting the same again changes nothing. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** Newest first, at most `max`. */
  list(max: number): Promise<readonly StoredCapture[]>
  /** Undefined when there is no such capture. */
  get(key: string): Promise<Uint8Array | undefined>
  close(): Promise<void>
}

/**
 * Loads only the client that is needed. Throws `config.*` when a secret can not be read. `onRemoved` is told of captures that go from a
 * store at its bound.
 */
export async function openStore(
  options: CaptureStoreOptions,
  nats: Config['nats'],
  onRemoved: (key: string) => void = () => undefined,
): Promise<CaptureStore> {
  switch (options.type) {
    case 's3':
      return (await import('./stores/s3.js')).s3Store(options)
    case 'folder':
      return (await import('./stores/folder.js')).folderStore(options, onRemoved)
    case 'nats':
      return (await import('./stores/nats.js')).natsStore(options, nats)
  }
}
