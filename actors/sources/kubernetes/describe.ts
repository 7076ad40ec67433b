// What the host says of a container's records: the pod that its path names, the labels that are allowed, the service.
import type { KubernetesSourceOptions } from '../../../protocol/config/sources.js'
import { multilineOf } from '../fields.js'
import type { OriginFields } from '../tail/found.js'
import type { PodFolder } from './pod-path.js'
import { serviceNameOf } from './service-name.js'

export interface ContainerFacts {
  readonly pod: PodFolder
  readonly containerName: string
  readonly nodeName: string
  /** All labels of the pod, where they are known. */
  readonly labels?: Readonly<Record<string, string>> | undefined
}

/** Whether a source with these options reads the pods of a namespace. */
export function namespaceFilter({
  namespaces,
  exclude_namespaces,
}: Pick<KubernetesSourceOptions, 'namespaces' | 'exclude_namespaces'>): (namespace: string) => boolean {
  const excluded = new Set(exclude_namespaces)
  const chosen = namespaces === undefined ? undefined : new Set(namespaces)
  return (namespace) => !excluded.has(namespace) && (chosen === undefined || chosen.has(namespace))
}

export function describeContainer(
  { pod, containerName, nodeName, labels }: ContainerFacts,
  options: Pick<KubernetesSourceOptions, 'labels_allow' | 'multiline'>,
): OriginFields {
  const allowed = labels === undefined ? [] : options.labels_allow.filter((key) => labels[key] !== undefined)
  return {
    format: 'cri',
    content: 'auto',
    ...multilineOf(options.multiline),
    trusted: {
      namespace: pod.namespace,
      pod_uid: pod.podUid,
      pod_name: pod.podName,
      container_name: containerName,
      node_name: nodeName,
    },
    fallback: {
      service_name: serviceNameOf({
        podName: pod.podName,
        containerName,
        nodeName,
        ...(labels === undefined ? {} : { labels }),
      }),
      log_type: 'app',
    },
    ...(allowed.length === 0 || labels === undefined
      ? {}
      : { labels: Object.fromEntries(allowed.map((key) => [key, labels[key] as string])) }),
  }
}
