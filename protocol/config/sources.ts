// The options of every source type.
import { z } from 'zod'
import { LOG_TYPES } from '../levels.js'
import { duration, glob, listen, path, regularExpression, size } from './values.js'

const fields = z
  .strictObject({
    service_name: z.string().optional().describe('Where the record names no service'),
    namespace: z.string().optional().describe('Wins over the record'),
    pod_uid: z.string().optional().describe('Wins over the record'),
    pod_name: z.string().optional().describe('Wins over the record'),
    container_name: z.string().optional().describe('Wins over the record'),
    log_type: z.enum(LOG_TYPES).optional().describe('Where the record names no type'),
    log_level: z
      .enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'])
      .optional()
      .describe('Where no level is found'),
    labels: z.record(z.string(), z.string()).optional().describe('Written as `kubernetes.labels.<key>`'),
  })
  .prefault({})
  .describe(
    'Fields the operator states: namespace, pod_* and container_name win over the record, the others fill what it lacks',
  )

const multiline = z
  .strictObject({
    start: regularExpression().describe('Regular expression of a line that begins a record'),
    wait: duration('1s').describe('How long an open group waits for its next line'),
    lines_max: z.number().int().positive().default(1000).describe('Lines after which a group ends by force'),
  })
  .optional()
  .describe('Joins the lines of a stack trace to the line before')

const tailing = {
  read_from: z
    .enum(['beginning', 'end'])
    .default('beginning')
    .describe('Where a file begins that has no position yet'),
  line_wait_max: duration('5s').describe(
    'How long an unfinished last line of a rotated or deleted file is waited for',
  ),
  poll: duration('100ms', { min: '10ms', max: '1m' }).describe(
    'How often busy files are looked at; idle ones up to ten times less',
  ),
  rescan: duration('1s', { min: '50ms', max: '10m' }).describe(
    'How often folders are searched for new files',
  ),
  files_max: z
    .number()
    .int()
    .min(4)
    .default(10_000)
    .describe(
      'Files followed at once, at least 4 (a log that is rotated has as many for a moment); more wait their turn',
    ),
  multiline,
}

export const kubernetesSource = z.strictObject({
  type: z.literal('kubernetes'),
  path: path()
    .default('/var/log/pods')
    .describe('Root of `<namespace>_<pod>_<uid>/<container>/<restart>.log`'),
  labels_allow: z.array(z.string()).default([]).describe('Pod labels copied into records'),
  labels_wait: duration('2s').describe("How long a new pod's first records wait for its labels"),
  api: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe('Watch the pods of this node through the Kubernetes API'),
  kubeconfig: path().optional().describe('Kubeconfig file; in a cluster the service account is used'),
  node_name: z
    .string()
    .optional()
    .describe('Name of this node in the API; default `NODE_NAME`, else `node.id`'),
  namespaces: z
    .array(z.string())
    .min(1, 'expected at least one namespace; leave it out to read all')
    .optional()
    .describe('Namespaces whose pods are read; left out: all'),
  exclude_namespaces: z.array(z.string()).default([]).describe('Namespaces whose pods are not read'),
  ...tailing,
})

export const fileSource = z.strictObject({
  type: z.literal('file'),
  include: z.array(glob()).min(1).describe('Globs of files to follow'),
  exclude: z.array(glob()).default([]).describe('Globs of files to leave out'),
  format: z
    .enum(['auto', 'json', 'logfmt', 'klog', 'text', 'cri'])
    .default('auto')
    .describe('How lines are read'),
  fields,
  ...tailing,
})

export const httpSource = z.strictObject({
  type: z.literal('http'),
  listen: listen().describe('Address that takes pushed records'),
  token_file: path()
    .optional()
    .describe('File that holds the bearer token; required unless the address is loopback'),
  body_bytes_max: size('16MiB', { min: '1KiB', max: '1GiB' }).describe('Largest body, decompressed'),
  requests_max: z
    .number()
    .int()
    .positive()
    .default(256)
    .describe('Requests in progress; more are answered 429'),
  timeout: duration('30s', { min: '10ms' }).describe('Longest wait for a body and for the journal'),
  fields,
})

export const stdinSource = z.strictObject({
  type: z.literal('stdin'),
  format: z
    .enum(['auto', 'json', 'logfmt', 'klog', 'text', 'cri'])
    .default('auto')
    .describe('How lines are read'),
  fields,
  multiline,
})

export const source = z.discriminatedUnion('type', [kubernetesSource, fileSource, httpSource, stdinSource])

export type KubernetesSourceOptions = z.output<typeof kubernetesSource>
export type FileSourceOptions = z.output<typeof fileSource>
export type HttpSourceOptions = z.output<typeof httpSource>
export type StdinSourceOptions = z.output<typeof stdinSource>
export type SourceOptions = z.output<typeof source>
export type SourceFields = z.output<typeof fields>
