// What tests of whole captures share: an S3 store, a scene that is closed after each test, and what a captured archive says.
import { afterEach } from 'node:test'
import type { S3StoreOptions } from '../../protocol/config/capture.js'
import { startS3StandIn, type S3StandIn } from '../stand-ins/s3.js'
import { type Scene, type SceneOptions, startScene, unpack } from './scene.js'

export const FILES = ['cgroup.txt', 'events.json', 'memory.json', 'meta.json', 'stack.txt', 'stderr.log']

let cleanups: (() => unknown)[] = []

/** Run after the test, the last one first. */
export function cleanUp(cleanup: () => unknown): void {
  cleanups.push(cleanup)
}
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
  cleanups = []
})

export async function s3(): Promise<{ server: S3StandIn; store: S3StoreOptions }> {
  const key = { accessKeyId: 'AKIATEST', secretAccessKey: 'not+so/secret', region: 'eu-central-1' }
  const server = await startS3StandIn({ ...key, bucket: 'last-words' })
  cleanups.push(() => server.close())
  return {
    server,
    store: {
      type: 's3',
      endpoint: server.url,
      bucket: 'last-words',
      prefix: 'captures/',
      region: key.region,
      path_style: true,
      access_key_id: key.accessKeyId,
      secret_access_key: key.secretAccessKey,
      timeout: 5000,
    },
  }
}

export async function scene(options: SceneOptions): Promise<Scene> {
  const made = await startScene(options)
  cleanups.push(() => made.close())
  return made
}

export interface Captured {
  readonly key: string
  readonly files: Record<string, string>
  readonly meta: Record<string, unknown>
  readonly memory: Record<string, Record<string, unknown>>
}

export async function captured(server: S3StandIn, n = 0): Promise<Captured> {
  const [key = '', bytes = Buffer.alloc(0)] = [...server.objects][n] ?? []
  const files = await unpack(bytes)
  return {
    key,
    files,
    meta: JSON.parse(files['meta.json'] ?? '{}') as Captured['meta'],
    memory: JSON.parse(files['memory.json'] ?? '{}') as Captured['memory'],
  }
}
