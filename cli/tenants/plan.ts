// The file that says which namespaces belong to which tenant, with labels, retention and budget; checked whole before anything is written.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { duration, size } from '../../protocol/config/values.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { pathText } from '../../runtime/config/problems.js'

/** A tenant's name becomes part of Kubernetes names (63 with what is before it), of an index and of a folder. */
const TENANT = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const TENANTS_MAX = 100

const name = z
  .string()
  .max(30, 'expected at most 30 characters')
  .regex(TENANT, 'expected small letters, digits and single -, a letter first')
const namespace = z.string().regex(NAMESPACE, 'expected the name of a namespace (RFC 1123)')
const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, 'expected the key of a pod label')

const tenant = z.strictObject({
  namespaces: z.array(namespace).min(1, 'expected at least one namespace'),
  /** Pod labels copied into records. */
  labels: z.array(label).default([]),
  /** Those among them that are labels of Loki's streams: few values each. */
  stream_labels: z.array(label).max(10).default([]),
  retention: duration('30d', { min: '1d', max: '3650d' }),
  budget: z
    .strictObject({
      /** Info records per second and service that are kept. */
      info_per_second: z.number().positive().default(100),
      /** What a node keeps for this tenant while a backend is away. */
      journal_bytes: size('2GiB', { min: '256MiB' }),
      /** What Loki takes from the tenant, all nodes together. */
      loki_bytes_per_second: size('4MiB', { min: '64KiB' }),
      loki_streams: z.number().int().min(10).default(5000),
    })
    .prefault({}),
})
export type Tenant = z.output<typeof tenant>

const plan = z.strictObject({ tenants: z.record(name, tenant) })
export type TenantPlan = z.output<typeof plan>

/** Throws MillraceError `config.tenants`, one line a problem. */
export function readTenantPlan(file: string): TenantPlan {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw fault(
      [`${file}: cannot be read (${systemCode(cause) ?? String(cause)}); name another with --tenants`],
      cause,
    )
  }
  return parseTenantPlan(text, file)
}

export function parseTenantPlan(text: string, file: string): TenantPlan {
  const parsed = plan.safeParse(parseText(text, file))
  if (!parsed.success) throw fault(parsed.error.issues.map((issue) => `${file}: ${told(issue)}`))
  const problems = [
    ...tooMany(parsed.data),
    ...claimedTwice(parsed.data),
    ...strangeStreamLabels(parsed.data),
  ]
  if (problems.length > 0) throw fault(problems.map((problem) => `${file}: ${problem}`))
  return parsed.data
}

/** A wrong name of a tenant is a problem of the key, which zod tells one level down. */
function told(issue: z.core.$ZodIssue): string {
  const reason =
    issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join('; ') : issue.message
  return `${pathText(issue.path)}: ${reason}`
}

function parseText(text: string, file: string): unknown {
  try {
    // Aliases are bounded, as in the configuration.
    return parse(text, { maxAliasCount: 100, logLevel: 'error' })
  } catch (cause) {
    throw fault([`${file}: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`], cause)
  }
}

function tooMany({ tenants }: TenantPlan): string[] {
  const count = Object.keys(tenants).length
  if (count > 0 && count <= TENANTS_MAX) return []
  return [`tenants: got ${count}, expected 1 to ${TENANTS_MAX}: each is an agent of its own on every node`]
}

/** A namespace of two tenants would be written twice, to both. */
function claimedTwice({ tenants }: TenantPlan): string[] {
  const owners = new Map<string, string>()
  return Object.entries(tenants).flatMap(([owner, { namespaces }]) =>
    namespaces.flatMap((each) => {
      const other = owners.get(each)
      owners.set(each, owner)
      return other === undefined ? [] : [`tenants.${owner}.namespaces: ${each} belongs to ${other} already`]
    }),
  )
}

function strangeStreamLabels({ tenants }: TenantPlan): string[] {
  return Object.entries(tenants).flatMap(([owner, { labels, stream_labels }]) =>
    stream_labels
      .filter((each) => !labels.includes(each))
      .map(
        (each) => `tenants.${owner}.stream_labels: ${each} is not among labels, so no record would have it`,
      ),
  )
}

function fault(lines: readonly string[], cause?: unknown): MillraceError {
  return new MillraceError('config.tenants', lines.join('\n'), { cause })
}
