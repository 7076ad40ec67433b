// A node's captures on a bench: folders of container logs and control groups, an S3 store and a Kubernetes API, and the actor between them.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { capture, type CaptureActorOptions } from '../../actors/capture/capture.js'
import { kubernetesSource } from '../../actors/sources/kubernetes.js'
import { httpPodsApi } from '../../actors/sources/kubernetes/http-api.js'
import { capture as captureSchema, type CaptureStoreOptions } from '../../protocol/config/capture.js'
import type { Config } from '../../protocol/config/schema.js'
import { kubernetesSource as sourceSchema } from '../../protocol/config/sources.js'
import type { Message, MessageOf, MessageType } from '../../protocol/messages.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { createBench, RECORDS } from '../sources/bench.js'

export const UID = '0f1e2d3c-0000-4000-8000-000000000001'
export const CONTAINER_ID = 'c0ffee'.padEnd(64, '0')

export interface Scene {
  readonly folder: string
  /** Root of the container logs. */
  readonly logs: string
  /** Where the control groups seem to be mounted. */
  readonly cgroups: string
  readonly sent: { readonly to: string; readonly message: Message }[]
  /** Messages of this type that went to this actor. */
  sentTo<T extends MessageType>(to: string, type: T): MessageOf<T>[]
  send(message: Message): void
  metric(name: string, labels?: Readonly<Record<string, string>>): number
  /** From each detection to the store, s. */
  seconds(): readonly number[]
  /** The only capture in a folder. */
  storedBytes(folder: string): Buffer
  /** Writes a file below the folder. */
  write(name: string, text: string): void
  /** Ends the actor and starts another one on the same data dir. */
  restart(): Promise<void>
  until(condition: () => boolean, what: string): Promise<void>
  close(): Promise<void>
}

export interface SceneOptions {
  readonly store: CaptureStoreOptions
  readonly nats?: Config['nats']
  readonly options?: Record<string, unknown>
  /** The API that a kubernetes source watches for the capture. */
  readonly apiUrl?: string
  readonly boosts?: boolean
  readonly prepare?: (folder: string) => void
}

const POD_FOLDER = `shop_cart-7d9c5b8f6d-x2k4p_${UID}`

/** `<pods>/shop_cart-…/<container>/<restart>.log`, below a scene's folder. */
export function logFile(container = 'app', restart = 0): string {
  return `pods/${POD_FOLDER}/${container}/${restart}.log`
}

export async function startScene(wanted: SceneOptions): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-capture-'))
  const logs = join(folder, 'pods')
  const cgroups = join(folder, 'cgroup')
  mkdirSync(logs)
  mkdirSync(cgroups)
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  wanted.prepare?.(folder)
  const bench = createBench({ name: 'pods' })
  const sent: Scene['sent'] = []
  const actors = new Map<string, Actor>()
  const seconds: number[] = []
  const observe = (name: string, value: number): void => {
    if (name === 'capture_seconds') seconds.push(value)
  }
  const contextOf = (name: string): ActorContext => ({
    ...bench.context,
    metrics: { ...bench.context.metrics, observe },
    name,
    node: { id: 'node-1', clusterId: 'test', dataDir: join(folder, 'data') },
    send(to, message) {
      sent.push({ to, message })
      const handler = actors.get(to)?.on[message.type] as
        | ((message: Message, from: string) => void)
        | undefined
      if (handler !== undefined) queueMicrotask(() => handler(message, name))
    },
  })
  const source = wanted.apiUrl === undefined ? undefined : await startSource(contextOf, logs, wanted.apiUrl)
  if (source !== undefined) actors.set('source.pods', source)
  const options = captureSchema.parse({ settle: 50, poll: '20ms', cgroup_root: cgroups, ...wanted.options })
  const plan: CaptureActorOptions = {
    options: { ...options, retry: { initial: 10, max: 50 } },
    store: wanted.store,
    nats: wanted.nats,
    roots: [{ path: logs, excluded: ['kube-system'] }],
    watchesPanics: true,
    boosts: wanted.boosts ?? true,
    ...(source === undefined ? {} : { podsFrom: 'source.pods' }),
  }
  let actor = capture(contextOf('capture'), plan)
  actors.set('capture', actor)
  await actor.start?.()
  return {
    folder,
    logs,
    cgroups,
    sent,
    sentTo: <T extends MessageType>(to: string, type: T) =>
      sent.flatMap((each) =>
        each.to === to && each.message.type === type ? [each.message as MessageOf<T>] : [],
      ),
    send(message) {
      ;(actor.on[message.type] as (message: Message, from: string) => void)(message, 'test')
    },
    metric: (name, labels) => bench.metric(name as never, labels),
    seconds: () => seconds,
    storedBytes(stored) {
      const names = readdirSync(stored, { recursive: true, encoding: 'utf8' })
      const found = names.filter((name) => name.endsWith('.tar.gz'))
      if (found.length !== 1) throw new Error(`expected one capture, got ${found.join(', ')}`)
      return readFileSync(join(stored, found[0] as string))
    },
    write,
    async restart() {
      await actor.stop?.()
      actor = capture(contextOf('capture'), plan)
      actors.set('capture', actor)
      await actor.start?.()
    },
    until: (condition, what) => bench.until(condition, what),
    async close() {
      await actor.stop?.()
      await source?.stop?.()
      await bench.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function startSource(
  contextOf: (name: string) => ActorContext,
  logs: string,
  apiUrl: string,
): Promise<Actor> {
  const requestOptions = async () => ({ headers: { authorization: 'Bearer node-token' } })
  const api = httpPodsApi({ server: new URL(apiUrl), requestOptions }, { whole: true })
  const options = sourceSchema.parse({ type: 'kubernetes', path: logs, node_name: 'worker-7' })
  const source = kubernetesSource(contextOf('source.pods'), {
    name: 'pods',
    options,
    records: RECORDS,
    reportsPods: true,
    api,
  })
  await source.start?.()
  source.on.positions?.({ type: 'positions', source: 'pods', positions: [] }, 'journal')
  return source
}

/** The runtime's line. `agoMs` before now. */
export function criLine(text: string, agoMs = 0, stream = 'stderr', tag = 'F'): string {
  return `${new Date(Date.now() - agoMs).toISOString()} ${stream} ${tag} ${text}\n`
}

/** File name → text of a capture. */
export async function unpack(bytes: Uint8Array): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  const archive = extract()
  archive.end(gunzipSync(bytes))
  for await (const entry of archive) {
    const chunks: Buffer[] = []
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk)
    files[entry.header.name] = Buffer.concat(chunks).toString('utf8')
  }
  return files
}
