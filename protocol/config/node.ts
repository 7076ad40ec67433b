// The options of the node itself: identity, HTTP, journal, threads, limits.
import { z } from 'zod'
import { duration, listen, path, size } from './values.js'

export const node = z
  .strictObject({
    id: z.string().min(1).default('local').describe('Name of this node, unique in the cluster'),
    cluster_id: z.string().min(1).default('local').describe('Name of the cluster, written into every record'),
    role: z
      .enum(['all', 'agent', 'writer'])
      .default('all')
      .describe(
        'With buffer.mode jetstream: agent = sources to JetStream, writer = JetStream to the backends, all = both',
      ),
    data_dir: path()
      .default('./data')
      .describe('Folder of the journal, cursors and dead letters; locked while running'),
  })
  .prefault({})

export const http = z
  .strictObject({
    listen: listen('127.0.0.1:7700').describe(
      'Address of /healthz, /readyz, /metrics, /status and /tap; /tap answers loopback clients only',
    ),
  })
  .prefault({})

export const journal = z
  .strictObject({
    segment_bytes: size('64MiB', { min: '64KiB', max: '4GiB' }).describe(
      'A segment is closed when it has grown to this',
    ),
    bytes_max: size('10GiB', { min: '256KiB' }).describe('Bound of the journal on disk'),
    at_bound: z
      .enum(['block', 'release', 'drop_oldest'])
      .default('block')
      .describe(
        'At the bound: block = sources wait on disk; release = the oldest segment goes once another backend has it and the audit will copy it from there; drop_oldest = it goes, counted per backend',
      ),
    commit_wait: duration('2ms', { max: '1s' }).describe('How long a group commit gathers frames'),
    fsync: z.boolean().default(true).describe('fdatasync before a frame counts as committed'),
  })
  .prefault({})

export const records = z
  .strictObject({
    line_bytes_max: size('256KiB', { min: '1KiB', max: '1MiB' }).describe(
      'Longer lines are cut and marked `"truncated":true`',
    ),
    frame_bytes: size('2MiB', { min: '16KiB', max: '4MiB' }).describe(
      'A frame is sealed when it has grown to this',
    ),
    batch_age_max: duration('500ms', { min: '1ms', max: '5m' }).describe(
      'A frame is sealed when its first record is this old',
    ),
  })
  .prefault({})

export const runtime = z
  .strictObject({
    placement: z
      .record(z.string(), z.array(z.string()))
      .optional()
      .describe('Thread groups: name → actors (`source.*`, parse, enrich, sample, journal, `writer.*`)'),
    restarts_max: z
      .number()
      .int()
      .nonnegative()
      .default(5)
      .describe('Restarts of groups within restart_window before the node gives up'),
    restart_window: duration('60s', { min: '1s' }).describe('Time over which restarts are counted'),
    shutdown: duration('10s', { max: '10m' }).describe('How long a drain may take on SIGTERM'),
    slots: z
      .number()
      .int()
      .min(4)
      .max(256)
      .default(8)
      .describe('Frames in memory between ingest, journal and writers'),
    log_level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe("Level of the node's own log on stderr"),
  })
  .prefault({})

export type NodeOptions = z.output<typeof node>
export type JournalOptions = z.output<typeof journal>
export type RecordsOptions = z.output<typeof records>
export type RuntimeOptions = z.output<typeof runtime>
