// The options of captures: what counts as a container's end, how much is kept of it, and where it is stored.
import { z } from 'zod'
import { duration, path, secret, size } from './values.js'

export const CAPTURE_REASONS = ['panic', 'oom_killed', 'crash_loop'] as const
export type CaptureReason = (typeof CAPTURE_REASONS)[number]

const s3Store = z.strictObject({
  type: z.literal('s3'),
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected a URL such as https://s3.eu-central-1.amazonaws.com' })
    .describe('Address of the store, without the bucket'),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected a bucket name: 3 to 63 of a-z, 0-9, . and -')
    .describe('Bucket; it must exist'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9!_.*'()/-]*$/, "expected letters, digits and /!-_.*'()")
    .default('captures/')
    .describe("What every object's key begins with"),
  region: z.string().min(1).default('us-east-1').describe('Region that requests are signed for'),
  path_style: z
    .boolean()
    .default(false)
    .describe('Bucket in the path (MinIO and most others) instead of in the host name'),
  access_key_id: z.string().min(1).describe('Access key; better from `${VAR}`'),
  secret_access_key: secret().optional().describe('Secret key; better from `${VAR}` or the file'),
  secret_access_key_file: path().optional().describe('File that holds the secret key'),
  session_token_file: path().optional().describe('File that holds a session token'),
  ca_file: path().optional().describe('PEM file of the certificate authority'),
  timeout: duration('10s', { min: '10ms', max: '10m' }).describe('Longest wait for one answer'),
})

const folderStore = z.strictObject({
  type: z.literal('folder'),
  path: path().describe('Folder, for example on a mounted share'),
  bytes_max: size('1GiB', { min: '1MiB' }).describe(
    'Bound of all captures in it; at the bound the oldest go, counted',
  ),
})

const natsStore = z.strictObject({
  type: z.literal('nats'),
  bucket: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, - and _')
    .default('millrace-captures')
    .describe('Object store bucket; made when it is not there'),
  retention: duration('30d', { min: '1m' }).describe('Age at which captures go from a bucket that was made'),
  timeout: duration('10s', { min: '10ms', max: '10m' }).describe('Longest wait for one answer'),
})

const store = z
  .discriminatedUnion('type', [s3Store, folderStore, natsStore])
  .optional()
  .describe(
    'Where captures go; left out: `captures` in the folder of the first archive backend, else the NATS object store, else a folder of the data dir',
  )

export const capture = z
  .strictObject({
    detect: z
      .array(z.enum(CAPTURE_REASONS))
      .default([...CAPTURE_REASONS])
      .describe('What starts a capture of a container; an empty list switches captures off'),
    age_max: duration('5m', { min: '1s' }).describe('What happened longer ago is not captured any more'),
    stderr_window: duration('10s', { min: '1s', max: '10m' }).describe('How much of stderr is kept'),
    stderr_bytes_max: size('4MiB', { min: '16KiB', max: '64MiB' }).describe(
      'Of it at most the last of so many bytes',
    ),
    settle: duration('500ms', { max: '10s' }).describe('How long the rest of a stack trace is waited for'),
    cgroup_root: path().default('/sys/fs/cgroup').describe('Where the control groups are mounted (v1 or v2)'),
    poll: duration('500ms', { min: '20ms', max: '1m' }).describe("How often the pods' OOM counters are read"),
    boost: duration('10m', { max: '1d' }).describe('How long everything of that pod is kept from then on'),
    per_pod_per_hour: z
      .number()
      .int()
      .positive()
      .default(6)
      .describe(
        'Captures of one pod, at most half of them for a panic in its log; more are counted and left out',
      ),
    per_hour: z
      .number()
      .int()
      .positive()
      .default(120)
      .describe(
        'Captures of one node, at most half of them for panics in logs; more are counted and left out. Of what an operator asks for as many more',
      ),
    disk_bytes_max: size('256MiB', { min: '1MiB' }).describe(
      'Captures that wait in the data dir for the store; at the bound the oldest goes, counted',
    ),
    retry: z
      .strictObject({
        initial: duration('500ms', { min: '1ms' }).describe('First wait; doubles with full jitter'),
        max: duration('60s', { min: '1ms', max: '1h' }).describe('Longest wait between two tries'),
      })
      .prefault({}),
    store,
  })
  .prefault({})

export type CaptureOptions = z.output<typeof capture>
export type CaptureStoreOptions = NonNullable<CaptureOptions['store']>
export type S3StoreOptions = z.output<typeof s3Store>
export type FolderStoreOptions = z.output<typeof folderStore>
export type NatsStoreOptions = z.output<typeof natsStore>
