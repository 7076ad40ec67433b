// Renders overlays as users do, and reads the objects out of them.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { parseConfig, type LoadedConfig } from '../../runtime/config/load.js'
import { findKustomize, repository, run, skipWithout } from './tools.js'

/** A value of a manifest; what is not there is undefined all the way down. */
export type Manifest = { readonly [key: string]: Manifest } & readonly Manifest[]

export const kustomize = findKustomize()
export const whereRendered = skipWithout(kustomize, 'kubectl or kustomize')

export const OVERLAYS = ['standalone', 'cluster', 'edge', 'buffered'] as const
export const COMPONENTS = ['root-logs', 'docker-logs', 'monitoring', 'nats', 'writers'] as const

/** What the environment of a pod gives its configuration. */
export const POD_ENV = {
  NODE_NAME: 'node-1',
  POD_NAME: 'millrace-writer-0',
  CLUSTER_ID: 'test',
  ES_URL: 'http://elasticsearch.logging:9200',
  LOKI_URL: 'http://loki.logging:3100',
}

/** The objects of a folder with a kustomization. Throws with kustomize's own words. */
export function renderFolder(folder: string): Manifest[] {
  if (kustomize === undefined) throw new Error('kubectl or kustomize is not on PATH')
  const { code, stdout, output } = run(kustomize, [folder])
  if (code !== 0) throw new Error(`kustomize of ${folder} failed: ${output}`)
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)
}

const rendered = new Map<string, Manifest[]>()
export function renderOverlay(name: string): Manifest[] {
  const known = rendered.get(name) ?? renderFolder(path.join(repository, 'k8s/overlays', name))
  rendered.set(name, known)
  return known
}

/** The standalone overlay with one more component, as a user would write it. */
export function renderWithComponent(name: string): Manifest[] {
  const folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'millrace-k8s-'))
  const there = (what: string) => path.relative(folder, path.join(repository, 'k8s', what))
  const body = {
    namespace: 'millrace',
    resources: [there('overlays/standalone')],
    components: [there(`components/${name}`)],
  }
  try {
    writeFileSync(path.join(folder, 'kustomization.yaml'), stringify(body))
    return renderFolder(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function ofKind(objects: readonly Manifest[], ...kinds: readonly string[]): Manifest[] {
  return objects.filter((object) => kinds.includes(textOf(object['kind'])))
}

export const textOf = (value: Manifest | undefined): string => (typeof value === 'string' ? value : '')

/** Follows keys and indexes; undefined where one is missing. */
export function at(value: Manifest | undefined, ...keys: readonly (string | number)[]): Manifest | undefined {
  return keys.reduce<Manifest | undefined>(
    (found, key) => (found as Record<string | number, Manifest> | undefined)?.[key],
    value,
  )
}

export const listAt = (value: Manifest | undefined, ...keys: readonly (string | number)[]): Manifest[] => {
  const found = at(value, ...keys) as unknown
  return Array.isArray(found) ? (found as Manifest[]) : []
}

export const nameOf = (object: Manifest): string => textOf(at(object, 'metadata', 'name'))

/** Every object that runs pods. */
export const workloadsOf = (objects: readonly Manifest[]) =>
  ofKind(objects, 'DaemonSet', 'Deployment', 'StatefulSet')

export const podOf = (workload: Manifest) => at(workload, 'spec', 'template', 'spec')

/** Configurations of Millrace among the objects, by the name of their ConfigMap. */
export function configsOf(objects: readonly Manifest[]): { readonly name: string; readonly text: string }[] {
  return ofKind(objects, 'ConfigMap').flatMap((map) => {
    const text = at(map, 'data', 'millrace.yaml')
    return text === undefined ? [] : [{ name: nameOf(map), text: textOf(text) }]
  })
}

/** Throws MillraceError as `millrace validate` would tell it. */
export const loadPodConfig = (text: string): LoadedConfig =>
  parseConfig(text, '/etc/millrace/millrace.yaml', POD_ENV)
