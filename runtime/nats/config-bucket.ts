// The bucket `millrace-config`: read, written with a check of the revision, its history, and followed.
import { jetstream } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { headers, type Msg, type NatsConnection } from 'nats'
import { parseSettings } from '../../protocol/control/settings.js'
import { MillraceError } from '../../protocol/errors.js'
import { CONFIG_BUCKET, configSubject } from '../../protocol/subjects.js'
import type { Clock } from '../clock.js'

export interface BucketEntry {
  readonly key: string
  readonly revision: number
  /** Undefined: deleted. */
  readonly text?: string
  /** Who deleted it, where it was said. */
  readonly deletedBy?: string
  readonly at: Date
}

export interface ConfigBucket {
  get(key: string): Promise<BucketEntry | undefined>
  /** Newest first. */
  history(key: string): Promise<BucketEntry[]>
  /** `after`: the revision that it replaces, 0 for none. Throws `ctl.conflict` when somebody else was quicker. */
  put(key: string, text: string, after: number): Promise<number>
  /** `by`: who does, for the history and the nodes' logs. */
  delete(key: string, by: string): Promise<void>
  /** All present values first (there may be none), then what changes; ends with the connection. */
  follow(keys: readonly string[], options: FollowOptions): AsyncIterable<readonly BucketEntry[]>
}

export interface FollowOptions {
  readonly clock: Clock
  random(): number
}

/** Changes come by a message that can be lost, so what is known is compared with the bucket so often, ±20 %. */
const COMPARE_EVERY_MS = 60_000
/** JetStream's "wrong last sequence". */
const WRONG_LAST = new Set([10071, 10164])

export async function openConfigBucket(connection: NatsConnection): Promise<ConfigBucket> {
  const kv = await new Kvm(connection).open(CONFIG_BUCKET)
  return {
    async get(key) {
      const entry = await kv.get(key)
      return entry === null || entry.operation !== 'PUT' ? undefined : entryOf(entry)
    },
    async history(key) {
      const entries: BucketEntry[] = []
      for await (const entry of await kv.history({ key })) entries.push(entryOf(entry))
      return entries.toReversed()
    },
    put: (key, text, after) => put(kv, key, text, after),
    async delete(key, by) {
      // A marker as the library's own delete writes it, which has no room for a name: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md
      const marker = headers()
      marker.set('KV-Operation', 'DEL')
      await jetstream(connection).publish(`$KV.${CONFIG_BUCKET}.${key}`, JSON.stringify({ by }), {
        headers: marker,
      })
    },
    follow: (keys, options) => follow(connection, kv, keys, options),
  }
}

type Entry = Awaited<ReturnType<KV['get']>> & object

function entryOf(entry: Entry): BucketEntry {
  const { key, revision, created: at, operation } = entry
  return { key, revision, at, ...(operation === 'PUT' ? { text: entry.string() } : deleted(entry.string())) }
}

/** A marker that another program wrote is empty. */
function deleted(text: string): { readonly deletedBy?: string } {
  const by = parseSettings(text)?.section['by']
  return typeof by === 'string' ? { deletedBy: by } : {}
}

async function* follow(
  connection: NatsConnection,
  kv: KV,
  keys: readonly string[],
  { clock, random }: FollowOptions,
): AsyncGenerator<readonly BucketEntry[]> {
  const known = new Map<string, number>()
  const said: BucketEntry[] = []
  let wake: () => void = () => undefined
  let compare = true
  let open = true
  let cancel: () => void = () => undefined
  // Before the first look: what changes between both is not missed.
  const subscriptions = keys.map((key) =>
    connection.subscribe(configSubject(key), {
      callback(error, message) {
        const entry = error === null ? saidEntry(key, message) : undefined
        // A message without the server's headers is none of it: the bucket knows.
        if (entry === undefined) compare = true
        else said.push(entry)
        wake()
      },
    }),
  )
  void connection.closed().then(() => {
    open = false
    wake()
  })
  try {
    while (open) {
      if (compare) {
        compare = false
        cancel()
        cancel = clock.after(COMPARE_EVERY_MS * (0.8 + 0.4 * random()), () => {
          compare = true
          wake()
        })
        const first = known.size === 0
        const found = await Promise.all(keys.map(async (key) => present(kv, key)))
        const fresh = found.filter(({ key, revision }) => known.get(key) !== revision)
        for (const { key, revision } of found) known.set(key, revision)
        if (first || fresh.length > 0) yield fresh.filter(({ revision }) => !first || revision > 0)
      }
      const fresh = said.splice(0).filter(({ key, revision }) => revision > (known.get(key) ?? 0))
      for (const { key, revision } of fresh) known.set(key, revision)
      if (fresh.length > 0) yield fresh
      else if (!compare && open) await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    cancel()
    for (const subscription of subscriptions) if (!connection.isClosed()) subscription.unsubscribe()
  }
}

/** Revision 0: there is nothing, and nothing is known of an earlier value. */
async function present(kv: KV, key: string): Promise<BucketEntry> {
  const entry = await kv.get(key)
  return entry === null ? { key, revision: 0, at: new Date(0) } : entryOf(entry)
}

/** Headers that the server adds: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-28.md */
function saidEntry(key: string, { headers: told, data }: Msg): BucketEntry | undefined {
  const revision = Number(told?.get('Nats-Sequence'))
  const stream = told?.get('Nats-Stream')
  if (stream !== `KV_${CONFIG_BUCKET}` || !Number.isSafeInteger(revision) || revision <= 0) return undefined
  const at = new Date(told?.get('Nats-Time-Stamp') ?? 0)
  const isDeleted = (told?.get('KV-Operation') ?? '') !== ''
  const text = new TextDecoder().decode(data)
  return { key, revision, at, ...(isDeleted ? deleted(text) : { text }) }
}

async function put(kv: KV, key: string, text: string, after: number): Promise<number> {
  try {
    // `create` also follows a deletion, whose own revision nobody wants to know.
    return await (after === 0 ? kv.create(key, text) : kv.update(key, text, after))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? Number(error.code) : 0
    if (!WRONG_LAST.has(code)) throw error
    const newest = (await kv.get(key))?.revision ?? 0
    const problem = `${key} was changed meanwhile: it is at revision ${newest}, and the change was made from ${after}; look at \`millrace ctl config diff\` and try again`
    throw new MillraceError('ctl.conflict', problem, { cause: error })
  }
}
