// The pods of one node as the Kubernetes API tells them: a list, then a watch; only what the pipeline needs of a pod.

export interface PodMeta {
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
}

export interface PodEvent {
  readonly type: 'put' | 'deleted' | 'bookmark'
  readonly resourceVersion: string
  readonly pod?: PodMeta
}

export interface PodsApi {
  /** For messages. */
  readonly address: string
  list(
    nodeName: string,
    signal: AbortSignal,
  ): Promise<{ readonly pods: readonly PodMeta[]; readonly resourceVersion: string }>
  /** Resolves to `gone` when the version is too old, to `ended` when the server has closed the watch; rejects when it broke. */
  watch(
    nodeName: string,
    resourceVersion: string,
    onEvent: (event: PodEvent) => void,
    signal: AbortSignal,
  ): Promise<'ended' | 'gone'>
}

interface RawObject {
  readonly metadata?: {
    readonly uid?: string
    readonly resourceVersion?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
}

/** Static pods have two uids: the mirror pod's, and the config hash that the kubelet uses in paths. */
const CONFIG_HASH = 'kubernetes.io/config.hash'

/** Undefined for what is not a pod's metadata. */
export function podMetaOf(value: unknown): PodMeta | undefined {
  const metadata = (value as RawObject | null)?.metadata
  const uid = metadata?.annotations?.[CONFIG_HASH] ?? metadata?.uid
  if (typeof uid !== 'string') return undefined
  const labels = Object.entries(metadata?.labels ?? {}).filter(([, text]) => typeof text === 'string')
  return { uid, labels: Object.fromEntries(labels) }
}

export function resourceVersionOf(value: unknown): string {
  const version = (value as RawObject | null)?.metadata?.resourceVersion
  return typeof version === 'string' ? version : ''
}
