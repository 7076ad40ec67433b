// Every stream and bucket of the product with all its limits: the one declaration that nodes make them from and `ctl streams` shows.
import {
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamConfig,
} from '@nats-io/jetstream'
import { nanos } from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import {
  AUDIT_OF_ALL,
  AUDIT_STREAM,
  CAPTURES_BUCKET,
  CONFIG_BUCKET,
  CONFIG_OF_ALL,
  DEAD_LETTERS_OF_ALL,
  DEAD_LETTERS_STREAM,
  LOGS_OF_ALL,
  LOGS_STREAM,
  PARTS_OF_ALL,
  PARTS_STREAM,
} from '../../protocol/subjects.js'

export type StreamPurpose = 'config' | 'logs' | 'parts' | 'audit' | 'dead_letters' | 'captures'

export interface StreamDeclaration {
  /** As the server calls it: a bucket's stream has the prefix KV_ or OBJ_. */
  readonly name: string
  readonly kind: 'stream' | 'key-value bucket' | 'object bucket'
  readonly purpose: StreamPurpose
  /** What makes a node need it, for people. */
  readonly neededFor: string
  readonly config: Declared
}

/** The part of a stream's configuration that is ours; all else is the server's default. Replicas are added when it is made. */
export type Declared = Pick<StreamConfig, 'subjects' | 'retention' | 'storage'> & Partial<StreamConfig>

/** Earlier values of a key that `ctl config history` and `rollback` can reach. 64 is the server's limit. */
export const CONFIG_HISTORY = 64
const CONFIG_BYTES_MAX = 256 * 1024
const CONFIG_BUCKET_BYTES_MAX = 64 * 1024 * 1024
const AUDIT_BYTES_MAX = 256 * 1024 * 1024
const DEAD_LETTERS_MAX = 1_000_000
const DAY_MS = 86_400_000
/** A frame published again within it, after a crash or a lost acknowledgement, is dropped by the server. */
const DUPLICATES_MS = 120_000

export function declareStreams({ streams }: Pick<NatsOptions, 'streams'>): StreamDeclaration[] {
  return [
    { ...configBucket(), purpose: 'config', neededFor: 'nats' },
    {
      name: LOGS_STREAM,
      kind: 'stream',
      purpose: 'logs',
      neededFor: 'buffer.mode jetstream',
      config: {
        description: 'Millrace: frames of log records on their way to the backends',
        subjects: [LOGS_OF_ALL],
        retention: RetentionPolicy.Interest,
        storage: StorageType.File,
        // Full: publishers are refused and keep their frames in the journal. Nothing is dropped here.
        discard: DiscardPolicy.New,
        max_bytes: streams.logs_bytes_max,
        max_age: nanos(streams.logs_age_max),
        duplicate_window: nanos(DUPLICATES_MS),
      },
    },
    {
      name: PARTS_STREAM,
      kind: 'stream',
      purpose: 'parts',
      neededFor: 'buffer.mode jetstream, frames larger than max_payload',
      config: {
        description: 'Millrace: pieces of frames that are larger than a message may be',
        subjects: [PARTS_OF_ALL],
        // Their writers remove them: two backends have them at different times, and a limit would lose some.
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        max_bytes: streams.logs_bytes_max,
        // A piece that is published again takes the place of the one before.
        max_msgs_per_subject: 1,
        max_age: nanos(streams.logs_age_max),
        duplicate_window: nanos(DUPLICATES_MS),
      },
    },
    {
      name: AUDIT_STREAM,
      kind: 'stream',
      purpose: 'audit',
      neededFor: 'audits shared by the nodes',
      config: {
        description: 'Millrace: frames whose copies in the backends are to be compared',
        subjects: [AUDIT_OF_ALL],
        retention: RetentionPolicy.Workqueue,
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        max_bytes: AUDIT_BYTES_MAX,
        max_age: nanos(DAY_MS * 7),
        duplicate_window: nanos(DUPLICATES_MS),
      },
    },
    {
      name: DEAD_LETTERS_STREAM,
      kind: 'stream',
      purpose: 'dead_letters',
      neededFor: 'dead letters of all nodes in one place',
      config: {
        description: 'Millrace: records that a backend can not take, with the reason',
        subjects: [DEAD_LETTERS_OF_ALL],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        // Full: nodes are refused and keep their letters in the folder.
        max_bytes: streams.dead_letters_bytes_max,
        // The server keeps subjects in memory.
        max_msgs: DEAD_LETTERS_MAX,
        // A letter that is put again takes the place of the one before.
        max_msgs_per_subject: 1,
        max_age: nanos(streams.dead_letters_age_max),
        duplicate_window: nanos(DUPLICATES_MS),
      },
    },
    capturesBucket(streams.captures_bytes_max),
  ]
}

/** The layout of a key-value bucket: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-8.md */
function configBucket(): Pick<StreamDeclaration, 'name' | 'kind' | 'config'> {
  return {
    name: `KV_${CONFIG_BUCKET}`,
    kind: 'key-value bucket',
    config: {
      description: 'Millrace: configuration that all nodes follow',
      subjects: [`$KV.${CONFIG_BUCKET}.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_msgs_per_subject: CONFIG_HISTORY,
      max_bytes: CONFIG_BUCKET_BYTES_MAX,
      max_msg_size: CONFIG_BYTES_MAX,
      allow_rollup_hdrs: true,
      allow_direct: true,
      deny_delete: true,
      duplicate_window: nanos(DUPLICATES_MS),
      compression: StoreCompression.None,
      republish: { src: `$KV.${CONFIG_BUCKET}.>`, dest: CONFIG_OF_ALL },
    },
  }
}

/** The layout of an object bucket: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-20.md */
function capturesBucket(bytesMax: number): StreamDeclaration {
  return {
    name: `OBJ_${CAPTURES_BUCKET}`,
    kind: 'object bucket',
    purpose: 'captures',
    neededFor: 'captures, where there is neither S3 nor an archive',
    config: {
      description: 'Millrace: the last words of containers',
      subjects: [`$O.${CAPTURES_BUCKET}.C.>`, `$O.${CAPTURES_BUCKET}.M.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      // Its age is the option `retention` of the captures' store.
      max_bytes: bytesMax,
      allow_rollup_hdrs: true,
      allow_direct: true,
      duplicate_window: nanos(DUPLICATES_MS),
    },
  }
}
