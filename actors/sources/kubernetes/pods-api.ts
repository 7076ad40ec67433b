// The pods of one node as the Kubernetes API tells them: a list, then a watch; only what the pipeline needs of a pod.
import type { PodEventText, PodFacts } from '../../../protocol/pod.js'
import { podFactsOf } from './pod-facts.js'

export interface PodMeta {
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
  /** Only where whole pods are asked for. */
  readonly facts?: PodFacts
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
  /** What the cluster has noted of one pod, oldest first, at most the newest 100. */
  events?(namespace: string, podUid: string, signal: AbortSignal): Promise<readonly PodEventText[]>
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
  const facts = podFactsOf(uid, value)
  return { uid, labels: Object.fromEntries(labels), ...(facts === undefined ? {} : { facts }) }
}

export function resourceVersionOf(value: unknown): string {
  const version = (value as RawObject | null)?.metadata?.resourceVersion
  return typeof version === 'string' ? version : ''
}
