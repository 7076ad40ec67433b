// What the actor `capture` is planned with; it is there where containers are read.
import { join } from 'node:path'
import type { CaptureOptions, CaptureStoreOptions } from '../../protocol/config/capture.js'
import type { Config } from '../../protocol/config/schema.js'

export interface CapturePlan {
  readonly options: CaptureOptions
  readonly store: CaptureStoreOptions
  readonly nats: Config['nats']
  /** Where container logs are read, and of which namespaces: captures hold stderr, so they keep to the same. */
  readonly roots: readonly LogRoot[]
  /** The source whose watch tells of the pods; undefined when no source has one. */
  readonly podsFrom?: string
  readonly watchesPanics: boolean
}

export interface LogRoot {
  readonly path: string
  /** Undefined: all but the excluded ones. */
  readonly namespaces?: readonly string[]
  readonly excluded: readonly string[]
}

/** Whether the logs of this namespace's pods are read by any source. */
export function readsNamespace(roots: readonly LogRoot[], namespace: string): boolean {
  return roots.some(
    ({ namespaces, excluded }) => !excluded.includes(namespace) && (namespaces?.includes(namespace) ?? true),
  )
}

/** Undefined where nothing is to be captured. */
export function planCapture(config: Config, once: boolean): CapturePlan | undefined {
  const pods = Object.entries(config.sources).flatMap(([name, source]) =>
    source.type === 'kubernetes' ? [{ name, source }] : [],
  )
  if (once || pods.length === 0 || config.capture.detect.length === 0) return undefined
  const watching = pods.find(({ source }) => source.api !== 'off')
  return {
    options: config.capture,
    store: chooseStore(config),
    nats: config.nats,
    roots: pods.map(({ source }) => ({
      path: source.path,
      excluded: source.exclude_namespaces,
      ...(source.namespaces === undefined ? {} : { namespaces: source.namespaces }),
    })),
    watchesPanics: config.capture.detect.includes('panic'),
    ...(watching === undefined ? {} : { podsFrom: `source.${watching.name}` }),
  }
}

/** As if the store had been configured with its defaults; stated here because threads do not load the schema. */
const FOLDER_BYTES_MAX = 1024 ** 3
const NATS_DEFAULTS = { bucket: 'millrace-captures', retention: 30 * 86_400_000, timeout: 10_000 }

/** The configured store, else the archive's folder, else NATS, else the node's own disk. */
export function chooseStore(config: Config): CaptureStoreOptions {
  if (config.capture.store !== undefined) return config.capture.store
  for (const backend of Object.values(config.backends))
    if (backend.type === 'archive') return folder(join(backend.path, 'captures'))
  if (config.nats !== undefined) return { type: 'nats', ...NATS_DEFAULTS }
  return folder(join(capturesFolder(config.node.data_dir), 'kept'))
}

function folder(path: string): CaptureStoreOptions {
  return { type: 'folder', path, bytes_max: FOLDER_BYTES_MAX }
}

/** Where captures lie until the store has them. */
export function capturesFolder(dataDir: string): string {
  return join(dataDir, 'captures')
}
