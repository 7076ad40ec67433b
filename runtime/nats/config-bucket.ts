// The bucket `millrace-config`: read, written with a check of the revision, its history, and watched.
import { type KV, Kvm } from '@nats-io/kv'
import type { NatsConnection } from 'nats'
import { MillraceError } from '../../protocol/errors.js'
import { CONFIG_BUCKET } from '../../protocol/subjects.js'

export interface BucketEntry {
  readonly key: string
  readonly revision: number
  /** Undefined: deleted. */
  readonly text?: string
  readonly at: Date
  /** More entries of the present state follow at once. */
  readonly more: boolean
}

export interface ConfigBucket {
  get(key: string): Promise<BucketEntry | undefined>
  /** Newest first. */
  history(key: string): Promise<BucketEntry[]>
  /** `after`: the revision that it replaces, 0 for none. Throws `ctl.conflict` when somebody else was quicker. */
  put(key: string, text: string, after: number): Promise<number>
  delete(key: string): Promise<void>
  /** The present values first, then each change; ends with the connection. */
  watch(keys: readonly string[]): Promise<AsyncIterable<BucketEntry>>
}

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
    delete: (key) => kv.delete(key),
    async watch(keys) {
      const entries = await kv.watch({ key: [...keys] })
      return (async function* () {
        for await (const entry of entries) yield entryOf(entry)
      })()
    },
  }
}

type Entry = Awaited<ReturnType<KV['get']>> & object

function entryOf(entry: Entry & { readonly isUpdate?: boolean }): BucketEntry {
  const { key, revision, created: at, operation, delta = 0 } = entry
  const more = entry.isUpdate === false && delta > 0
  return { key, revision, at, more, ...(operation === 'PUT' ? { text: entry.string() } : {}) }
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
